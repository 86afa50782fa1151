//! The service `Groups`: consumer groups of clients over gRPC, and all groups for administrators.

mod told;
mod understood;

use super::{
    Services,
    convert::{Invalid, number},
    error_code::{Coded, Parts, success},
};
use crate::{
    coordinator::{
        CoordinatorError, FoundOffsets, OFFSETS_TOPIC,
        group::{Description, GroupError},
        groups::{DeleteGroupError, NativeCommit, Place},
        native::{Directive, NativeError},
    },
    service::{Context, GroupCallError, Refusal},
};
use cairn_proto::v1::{self, ErrorCode, groups_server::Groups};
use tonic::{Request, Response, Status};
use understood::Origin;

/// Why a call fails.
enum Failure {
    Invalid(Invalid),
    Call(GroupCallError),
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<GroupCallError> for Failure {
    fn from(error: GroupCallError) -> Self {
        Self::Call(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Call(refusal.into())
    }
}

impl Failure {
    fn parts(&self) -> Parts {
        match self {
            Self::Invalid(invalid) => invalid.parts(),
            Self::Call(error) => error.parts(),
        }
    }
}

fn outcome<T>(result: Result<T, Failure>) -> (Parts, Option<T>) {
    match result {
        Ok(value) => (success(), Some(value)),
        Err(failure) => (failure.parts(), None),
    }
}

#[tonic::async_trait]
impl Groups for Services {
    async fn find_coordinator(
        &self,
        request: Request<v1::FindCoordinatorRequest>,
    ) -> Result<Response<v1::FindCoordinatorResponse>, Status> {
        let context = self.call(request.metadata());
        let found = self.coordinator_of(&context, &request.get_ref().group).await;
        let ((error, message), found) = outcome(found);
        let (broker_id, grpc_address) = found.unwrap_or_default();
        Ok(Response::new(v1::FindCoordinatorResponse { error, message, broker_id, grpc_address }))
    }

    async fn heartbeat(
        &self,
        request: Request<v1::GroupHeartbeatRequest>,
    ) -> Result<Response<v1::GroupHeartbeatResponse>, Status> {
        let context = self.call(request.metadata());
        let client_host = request.remote_addr().map(|peer| format!("/{}", peer.ip().to_canonical()));
        let origin =
            Origin { client_id: context.client_id.to_string(), client_host: client_host.unwrap_or_default() };
        let heard = self.beat(&context, request.into_inner(), origin).await;
        Ok(Response::new(match outcome(heard) {
            (_, Some(directive)) => told::directive(directive),
            ((error, message), None) => {
                v1::GroupHeartbeatResponse { error, message, ..v1::GroupHeartbeatResponse::default() }
            }
        }))
    }

    async fn leave(
        &self,
        request: Request<v1::LeaveGroupRequest>,
    ) -> Result<Response<v1::LeaveGroupResponse>, Status> {
        let context = self.call(request.metadata());
        let request = request.get_ref();
        let left = self.broker.native_leave(&context, &request.group, &request.member_id);
        let ((error, message), _) = outcome(left.map_err(Failure::from));
        Ok(Response::new(v1::LeaveGroupResponse { error, message }))
    }

    async fn commit_offsets(
        &self,
        request: Request<v1::CommitOffsetsRequest>,
    ) -> Result<Response<v1::CommitOffsetsResponse>, Status> {
        let context = self.call(request.metadata());
        let committed = self.commit(&context, request.into_inner()).await;
        let ((error, message), refused) = outcome(committed);
        let refused = refused.unwrap_or_default();
        Ok(Response::new(v1::CommitOffsetsResponse { error, message, refused }))
    }

    async fn fetch_offsets(
        &self,
        request: Request<v1::FetchOffsetsRequest>,
    ) -> Result<Response<v1::FetchOffsetsResponse>, Status> {
        let context = self.call(request.metadata());
        let found = self.fetch(&context, request.into_inner()).await;
        let ((error, message), found) = outcome(found);
        let offsets = told::offsets(found.unwrap_or_default());
        Ok(Response::new(v1::FetchOffsetsResponse { error, message, offsets }))
    }

    async fn delete_offsets(
        &self,
        request: Request<v1::DeleteOffsetsRequest>,
    ) -> Result<Response<v1::DeleteOffsetsResponse>, Status> {
        let context = self.call(request.metadata());
        let kept = self.forget(&context, request.into_inner()).await;
        let ((error, message), kept) = outcome(kept);
        let kept = told::places(kept.unwrap_or_default());
        Ok(Response::new(v1::DeleteOffsetsResponse { error, message, kept }))
    }

    async fn list_groups(
        &self,
        request: Request<v1::ListGroupsRequest>,
    ) -> Result<Response<v1::ListGroupsResponse>, Status> {
        let context = self.call(request.metadata());
        let ((error, message), groups) = outcome(self.broker.list_groups(&context).map_err(Failure::from));
        let groups = groups.into_iter().flatten();
        let groups = groups.map(|(group, description)| told::summary(group, &description)).collect();
        Ok(Response::new(v1::ListGroupsResponse { error, message, groups }))
    }

    async fn describe_group(
        &self,
        request: Request<v1::DescribeGroupRequest>,
    ) -> Result<Response<v1::DescribeGroupResponse>, Status> {
        let context = self.call(request.metadata());
        let group = request.into_inner().group;
        let ((error, message), described) = outcome(self.describe(&context, &group));
        let Some((description, offsets)) = described else {
            let refusal =
                v1::DescribeGroupResponse { error, message, ..v1::DescribeGroupResponse::default() };
            return Ok(Response::new(refusal));
        };
        Ok(Response::new(v1::DescribeGroupResponse {
            error,
            message,
            summary: Some(told::summary(group, &description)),
            members: told::members(description),
            offsets: told::offsets(offsets),
            coordinator: self.broker.id().get(),
        }))
    }

    async fn delete_group(
        &self,
        request: Request<v1::DeleteGroupRequest>,
    ) -> Result<Response<v1::DeleteGroupResponse>, Status> {
        let context = self.call(request.metadata());
        let deleted = self.delete_group_named(&context, &request.get_ref().group).await;
        let ((error, message), _) = outcome(deleted);
        Ok(Response::new(v1::DeleteGroupResponse { error, message }))
    }
}

impl Services {
    async fn coordinator_of(&self, context: &Context, group: &str) -> Result<(u32, String), Failure> {
        let broker = self.broker.find_coordinator(context, group).await?;
        let image = self.broker.cluster(context)?;
        let record = image.brokers.get(&broker);
        let address = record.and_then(|record| record.endpoints.grpc.clone()).unwrap_or_default();
        Ok((broker.get(), address))
    }

    async fn beat(
        &self,
        context: &Context,
        request: v1::GroupHeartbeatRequest,
        origin: Origin,
    ) -> Result<Directive, Failure> {
        let group = request.group.clone();
        let beat = understood::heartbeat(request, origin)?;
        Ok(self.broker.native_heartbeat(context, &group, beat).await?)
    }

    async fn commit(
        &self,
        context: &Context,
        request: v1::CommitOffsetsRequest,
    ) -> Result<Vec<v1::RefusedOffset>, Failure> {
        let v1::CommitOffsetsRequest { group, member_id, member_epoch, commit_number, offsets } = request;
        self.broker.check_places(offsets.len())?;
        let image = self.broker.cluster(context)?;
        let now_ms = self.broker.clock().wall_ms();
        let (offsets, unknown) = understood::offsets(offsets, &image, now_ms)?;
        let no_partition = |place: Place| {
            let message = format!("{} has no partition {}, or is another topic now", place.0, place.1);
            refused(place, ErrorCode::UnknownTopicOrPartition, message)
        };
        let mut all_refused: Vec<v1::RefusedOffset> = unknown.into_iter().map(no_partition).collect();
        if member_id.is_empty() {
            self.broker.set_offsets(context, &group, offsets).await?;
            return Ok(all_refused);
        }
        let commit = NativeCommit { member_id, epoch: member_epoch, number: commit_number, offsets };
        let not_held = self.broker.native_commit(context, &group, commit).await?;
        let text = "the member does not hold this partition (any more)";
        let not_held = not_held.into_iter().map(|place| refused(place, ErrorCode::NotAssigned, text.into()));
        all_refused.extend(not_held);
        Ok(all_refused)
    }

    async fn fetch(
        &self,
        context: &Context,
        request: v1::FetchOffsetsRequest,
    ) -> Result<FoundOffsets, Failure> {
        let wanted = understood::places(request.topics)?;
        self.broker.check_places(wanted.len())?;
        let wanted = Some(wanted.as_slice()).filter(|wanted| !wanted.is_empty());
        self.broker.wait_for_group(context, &request.group).await?;
        Ok(self.broker.committed_offsets(context, &request.group, wanted)?)
    }

    async fn forget(
        &self,
        context: &Context,
        request: v1::DeleteOffsetsRequest,
    ) -> Result<Vec<Place>, Failure> {
        let places = understood::places(request.topics)?;
        self.broker.check_places(places.len())?;
        Ok(self.broker.delete_offsets(context, &request.group, places).await?)
    }

    async fn delete_group_named(&self, context: &Context, group: &str) -> Result<(), Failure> {
        self.require_groups(context)?;
        Ok(self.broker.delete_group(context, group).await?)
    }

    /// Before the first group there is not even a place for groups: none of any name.
    fn require_groups(&self, context: &Context) -> Result<(), Failure> {
        let image = self.broker.cluster(context)?;
        image.topic_by_name(OFFSETS_TOPIC).map(drop).ok_or_else(not_found)
    }

    fn describe(&self, context: &Context, group: &str) -> Result<(Description, FoundOffsets), Failure> {
        self.require_groups(context)?;
        let description = self.broker.describe_group(context, group)?.ok_or_else(not_found)?;
        Ok((description, self.broker.committed_offsets(context, group, None)?))
    }
}

fn not_found() -> Failure {
    Failure::Call(CoordinatorError::Delete(DeleteGroupError::NotFound).into())
}

fn refused((topic, partition): Place, error: ErrorCode, message: String) -> v1::RefusedOffset {
    v1::RefusedOffset {
        topic,
        partition: number(usize::try_from(partition).unwrap_or(0)),
        error: error.into(),
        message,
    }
}

impl Coded for GroupCallError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Topic(error) => error.code(),
            Self::Coordinator(error) => error.code(),
        }
    }
}

impl Coded for CoordinatorError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotCoordinator => ErrorCode::NotCoordinator,
            Self::Loading | Self::NotAvailable(_) => ErrorCode::CoordinatorNotReady,
            Self::InvalidName { .. } | Self::MetadataTooLong { .. } | Self::TooLarge => {
                ErrorCode::InvalidRequest
            }
            Self::Group(error) => error.code(),
            Self::Delete(DeleteGroupError::NotFound) => ErrorCode::UnknownGroup,
            Self::Delete(DeleteGroupError::NotEmpty) => ErrorCode::GroupNotEmpty,
            Self::Native(error) => error.code(),
        }
    }
}

impl Coded for NativeError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidSessionTimeout { .. } | Self::InvalidTopics { .. } | Self::TooManyTopics { .. } => {
                ErrorCode::InvalidRequest
            }
            Self::UnknownMember => ErrorCode::UnknownMember,
            Self::FencedInstance => ErrorCode::FencedInstance,
            Self::StaleEpoch { .. } => ErrorCode::StaleMemberEpoch,
            Self::Full { .. } => ErrorCode::GroupFull,
            Self::OtherKind => ErrorCode::GroupOfOtherKind,
            Self::NotWritten(_) => ErrorCode::CoordinatorNotReady,
        }
    }
}

/// Of the classic protocol, which nobody speaks here.
impl Coded for GroupError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownMember => ErrorCode::UnknownMember,
            Self::FencedInstance => ErrorCode::FencedInstance,
            Self::OtherKind => ErrorCode::GroupOfOtherKind,
            Self::Full { .. } => ErrorCode::GroupFull,
            Self::NotWritten => ErrorCode::CoordinatorNotReady,
            Self::IllegalGeneration { .. } | Self::RebalanceInProgress => ErrorCode::StaleMemberEpoch,
            Self::InvalidSessionTimeout { .. } | Self::MemberIdRequired(_) | Self::InconsistentProtocol => {
                ErrorCode::InvalidRequest
            }
        }
    }
}
