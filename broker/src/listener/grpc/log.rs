//! The unary calls of the service `Log`.

use super::{Services, convert, error_code::Coded};
use crate::{
    replication::{FetchError, OffsetAnswer, OffsetQuery},
    service::OffsetRequest,
};
use cairn_proto::v1::{self, log_server::Log, offset_query::At};
use tokio_stream::Empty;
use tonic::{Request, Response, Status, Streaming};

#[tonic::async_trait]
impl Log for Services {
    type ProduceStream = Empty<Result<v1::ProduceResponse, Status>>;
    type FetchStream = Empty<Result<v1::FetchResponse, Status>>;

    async fn produce(
        &self,
        _request: Request<Streaming<v1::ProduceRequest>>,
    ) -> Result<Response<Self::ProduceStream>, Status> {
        Err(served_elsewhere())
    }

    async fn fetch(
        &self,
        _request: Request<Streaming<v1::FetchRequest>>,
    ) -> Result<Response<Self::FetchStream>, Status> {
        Err(served_elsewhere())
    }

    async fn list_offsets(
        &self,
        request: Request<v1::ListOffsetsRequest>,
    ) -> Result<Response<v1::ListOffsetsResponse>, Status> {
        let context = self.call(request.metadata());
        let queries = request.into_inner().queries;
        // Those that cannot be understood are answered in their place; the others are asked together.
        let understood: Vec<_> = queries.iter().map(converted).collect();
        let asked: Vec<_> = understood.iter().filter_map(|query| query.clone().ok()).collect();
        let answers = match self.broker.list_offsets(&context, asked).await {
            Ok(answers) => answers,
            Err(error) => {
                let refused = v1::OffsetAnswer { ..offset_error(&error) };
                let answers = vec![refused; queries.len()];
                return Ok(Response::new(v1::ListOffsetsResponse { answers }));
            }
        };
        let mut answers = answers.into_iter();
        let mut next = || answers.next().unwrap_or(Err(FetchError::UnknownPartition));
        let answer = |query: Result<OffsetRequest, convert::Invalid>| match query {
            Ok(_) => next().map_or_else(|error| offset_error(&error), offset_answer),
            Err(error) => offset_error(&error),
        };
        let answers = understood.into_iter().map(answer).collect();
        Ok(Response::new(v1::ListOffsetsResponse { answers }))
    }

    async fn init_producer_id(
        &self,
        request: Request<v1::InitProducerIdRequest>,
    ) -> Result<Response<v1::InitProducerIdResponse>, Status> {
        let context = self.call(request.metadata());
        let v1::InitProducerIdRequest { producer_id, producer_epoch } = request.into_inner();
        let response = match self.broker.init_producer_id(&context, producer_id, producer_epoch).await {
            Ok(identity) => v1::InitProducerIdResponse {
                error: v1::ErrorCode::None.into(),
                message: String::new(),
                producer_id: identity.producer.get(),
                producer_epoch: identity.epoch.into(),
            },
            Err(error) => {
                let (code, message) = error.parts();
                v1::InitProducerIdResponse { error: code, message, producer_id: -1, producer_epoch: -1 }
            }
        };
        Ok(Response::new(response))
    }
}

/// `LogService` takes the streams before the generated code sees them.
fn served_elsewhere() -> Status {
    Status::internal("the stream was not served by its own service")
}

fn converted(query: &v1::OffsetQuery) -> Result<OffsetRequest, convert::Invalid> {
    let at = match query.at {
        Some(At::Earliest(true)) => OffsetQuery::Earliest,
        Some(At::Latest(true)) => OffsetQuery::Latest,
        Some(At::MaxTimestamp(true)) => OffsetQuery::MaxTimestamp,
        Some(At::TimestampMs(timestamp)) if timestamp >= 0 => OffsetQuery::Timestamp(timestamp),
        Some(At::TimestampMs(timestamp)) => {
            return Err(convert::invalid("timestamp_ms", timestamp, "0 to 9223372036854775807"));
        }
        Some(_) | None => {
            return Err(convert::invalid(
                "at",
                "not set",
                "one of earliest, latest, timestamp_ms, max_timestamp",
            ));
        }
    };
    Ok(OffsetRequest {
        partition: convert::topic_partition(&query.topic_id, query.partition)?,
        leader_epoch: convert::epoch("leader_epoch", query.leader_epoch)?,
        query: at,
    })
}

fn offset_answer(answer: OffsetAnswer) -> v1::OffsetAnswer {
    v1::OffsetAnswer {
        error: v1::ErrorCode::None.into(),
        message: String::new(),
        offset: answer.offset.map_or(-1, |offset| offset.get()),
        timestamp_ms: answer.timestamp_ms.unwrap_or(-1),
        leader_epoch: answer.leader_epoch.map_or(-1, |epoch| epoch.get()),
    }
}

fn offset_error(error: &impl Coded) -> v1::OffsetAnswer {
    let (code, message) = error.parts();
    v1::OffsetAnswer { error: code, message, offset: -1, timestamp_ms: -1, leader_epoch: -1 }
}
