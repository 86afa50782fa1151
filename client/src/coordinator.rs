//! Calls for one group: finds the broker that coordinates it, and asks again while that one is away, is reading its groups, or
//! is another one by now. Every call may be sent twice: what it asks for is the same then.

use crate::{
    GroupError,
    client::Core,
    clock,
    connection::{CallError, call, groups_client},
    retry::{Backoff, code_name, code_of, refused_for_now},
};
use cairn_proto::v1::{self, ErrorCode, FindCoordinatorRequest, groups_client::GroupsClient};
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tonic::{Response, Status, transport::Channel};

/// An answer that may be a refusal.
pub(crate) trait Answer {
    /// Number and text of the error.
    fn error(&self) -> (ErrorCode, &str);
}

macro_rules! answers {
    ($($answer:ident),* $(,)?) => {
        $(impl Answer for v1::$answer {
            fn error(&self) -> (ErrorCode, &str) {
                (code_of(self.error), &self.message)
            }
        })*
    };
}

answers!(
    CommitOffsetsResponse,
    DeleteGroupResponse,
    DeleteOffsetsResponse,
    DescribeGroupResponse,
    FetchOffsetsResponse,
    FindCoordinatorResponse,
    GroupHeartbeatResponse,
    LeaveGroupResponse,
    ListGroupsResponse,
);

/// Why one attempt gave nothing.
#[derive(Clone, Debug)]
pub(crate) enum Attempt {
    /// Another one may.
    Again(String),
    /// The group says no.
    Refused(ErrorCode, String),
}

/// The calls for one group.
#[derive(Debug)]
pub(crate) struct Coordinator {
    pub(crate) core: Arc<Core>,
    pub(crate) group: String,
    /// Where it answered last.
    address: Mutex<Option<String>>,
}

impl Coordinator {
    pub(crate) fn new(core: Arc<Core>, group: String) -> Self {
        Self { core, group, address: Mutex::new(None) }
    }

    /// Asks once.
    pub(crate) async fn attempt<T: Answer, F>(
        &self,
        timeout: Duration,
        request: impl FnOnce(GroupsClient<Channel>) -> F,
    ) -> Result<T, Attempt>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let address = self.find().await?;
        let channel = self.core.connections.channel(&address);
        let channel = channel.map_err(|error| Attempt::Again(error.to_string()))?;
        let answered = call(&address, timeout, request(groups_client(channel))).await;
        let outcome = decided(answered);
        if matches!(outcome, Err(Attempt::Again(_))) {
            *self.address.lock() = None;
        }
        outcome
    }

    /// Asks until there is an answer, or it is too late for another attempt.
    pub(crate) async fn ask<T: Answer, F>(
        &self,
        give_up: Instant,
        mut request: impl FnMut(GroupsClient<Channel>) -> F,
    ) -> Result<T, GroupError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let mut backoff = Backoff::retrying();
        loop {
            let left = give_up.saturating_duration_since(clock::now());
            let outcome = tokio::select! {
                () = self.core.stop.cancelled() => return Err(GroupError::Closed),
                outcome = self.attempt(left, &mut request) => outcome,
            };
            let reason = match outcome {
                Ok(answer) => return Ok(answer),
                Err(Attempt::Refused(code, reason)) => return Err(self.refusal(code, reason)),
                Err(Attempt::Again(reason)) => reason,
            };
            let wait = backoff.wait(rand::random());
            if clock::now() + wait >= give_up {
                return Err(GroupError::Unreachable(reason));
            }
            tokio::select! {
                () = self.core.stop.cancelled() => return Err(GroupError::Closed),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// What a refusal means to the application.
    pub(crate) fn refusal(&self, code: ErrorCode, reason: String) -> GroupError {
        let group = self.group.clone();
        match code {
            ErrorCode::UnknownGroup => GroupError::Unknown { group },
            ErrorCode::GroupNotEmpty => GroupError::NotEmpty { group },
            ErrorCode::GroupOfOtherKind => GroupError::OtherKind { group },
            ErrorCode::FencedInstance => GroupError::Fenced { group },
            code => GroupError::Refused { code: code_name(code), reason },
        }
    }

    async fn find(&self) -> Result<String, Attempt> {
        if let Some(known) = self.address.lock().clone() {
            return Ok(known);
        }
        let ask = |channel| {
            let request = FindCoordinatorRequest { group: self.group.clone() };
            async move { groups_client(channel).find_coordinator(request).await }
        };
        let found = decided(self.core.ask_any(true, ask).await)?;
        *self.address.lock() = Some(found.grpc_address.clone());
        Ok(found.grpc_address)
    }
}

/// Sorts an answer.
pub(crate) fn decided<T: Answer>(answered: Result<T, CallError>) -> Result<T, Attempt> {
    let answer = answered.map_err(|error| match error {
        CallError::NotSent(reason) | CallError::Lost(reason) => Attempt::Again(reason),
        CallError::TurnedAway(reason) => Attempt::Refused(ErrorCode::InvalidRequest, reason),
    })?;
    match answer.error() {
        (ErrorCode::None, _) => Ok(answer),
        (code, reason) if refused_for_now(code) || code == ErrorCode::Unknown => {
            Err(Attempt::Again(reason.to_owned()))
        }
        (code, reason) => Err(Attempt::Refused(code, reason.to_owned())),
    }
}
