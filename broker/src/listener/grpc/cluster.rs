//! The service `Cluster`: who leads what, pushed, and how the cluster is.

use super::{
    Services, admin,
    call::{refused, shutting_down},
    convert::number,
    error_code::Coded,
};
use crate::{
    ids::BrokerId,
    metadata::{BrokerRecord, ClusterState, Topic, TopicConfig},
    service::{ClusterStatus, News, WatchSession},
};
use cairn_proto::v1::{self, cluster_server::Cluster};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

type ToClient = mpsc::Sender<Result<v1::WatchResponse, Status>>;

#[tonic::async_trait]
impl Cluster for Services {
    type WatchStream = ReceiverStream<Result<v1::WatchResponse, Status>>;

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let context = self.stream(request.metadata());
        let session = self.broker.watch(&context, request.into_inner().topics);
        let session = session.map_err(|refusal| refused(&refusal))?;
        let (to_client, responses) = mpsc::channel(1);
        let services = self.clone();
        self.streams.spawn(async move {
            if let Err(status) = push_news(&services, session, &to_client).await {
                // A client that is gone needs no reason.
                let _ = to_client.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(responses)))
    }

    async fn status(
        &self,
        request: Request<v1::StatusRequest>,
    ) -> Result<Response<v1::StatusResponse>, Status> {
        let context = self.call(request.metadata());
        let response = match self.broker.status(&context).await {
            Ok(status) => self.status_response(status),
            Err(error) => {
                let (error, message) = error.parts();
                v1::StatusResponse { error, message, controller: -1, ..v1::StatusResponse::default() }
            }
        };
        Ok(Response::new(response))
    }
}

async fn push_news(
    services: &Services,
    mut session: WatchSession,
    to_client: &ToClient,
) -> Result<(), Status> {
    let draining = services.broker.admission().draining().clone();
    loop {
        let news = tokio::select! {
            biased;
            () = draining.cancelled() => return Err(shutting_down()),
            () = to_client.closed() => return Ok(()),
            news = session.next() => news,
        };
        let Some(news) = news else { return Err(shutting_down()) };
        if to_client.send(Ok(response(news))).await.is_err() {
            return Ok(());
        }
    }
}

fn response(news: News) -> v1::WatchResponse {
    v1::WatchResponse {
        metadata_index: news.image.index.get(),
        cluster_id: cluster_id(&news.image),
        brokers: news.brokers.iter().map(|(id, record)| endpoint(*id, record)).collect(),
        topics: news.topics.iter().map(|topic| routing(topic)).collect(),
        missing: news.missing,
    }
}

fn cluster_id(image: &ClusterState) -> String {
    image.cluster.map(|cluster| cluster.to_string()).unwrap_or_default()
}

fn endpoint(id: BrokerId, record: &BrokerRecord) -> v1::BrokerEndpoint {
    v1::BrokerEndpoint {
        broker_id: id.get(),
        grpc_address: record.endpoints.grpc.clone().unwrap_or_default(),
        kafka_address: record.endpoints.kafka.clone().unwrap_or_default(),
        rack: record.rack.clone().unwrap_or_default(),
    }
}

fn routing(topic: &Topic) -> v1::TopicRouting {
    let partition = |(index, record): (crate::ids::PartitionIndex, &crate::metadata::PartitionRecord)| {
        v1::PartitionRouting {
            partition: index.get(),
            leader: admin::leader(record),
            leader_epoch: record.leader_epoch.get(),
        }
    };
    v1::TopicRouting {
        name: topic.name.clone(),
        topic_id: topic.id.as_bytes().to_vec().into(),
        partitions: topic.numbered().map(partition).collect(),
        max_message_bytes: max_message_bytes(topic),
    }
}

/// What is in a record was valid when it was set.
fn max_message_bytes(topic: &Topic) -> u32 {
    TopicConfig::parse(&topic.configs).map_or(0, |config| number(config.max_message_bytes))
}

impl Services {
    fn status_response(&self, status: ClusterStatus) -> v1::StatusResponse {
        let image = &status.image;
        let brokers = image.brokers.iter().map(|(id, record)| {
            let mut broker = v1::BrokerStatus {
                broker_id: id.get(),
                broker_epoch: record.epoch.get(),
                grpc_address: record.endpoints.grpc.clone().unwrap_or_default(),
                kafka_address: record.endpoints.kafka.clone().unwrap_or_default(),
                fenced: record.fenced,
                shutting_down: record.shutting_down,
                ..v1::BrokerStatus::default()
            };
            if *id == self.broker.id() {
                env!("CARGO_PKG_VERSION").clone_into(&mut broker.version);
                broker.uptime_ms = status.uptime_ms;
                broker.directories = vec![directory(&status)];
            }
            broker
        });
        v1::StatusResponse {
            error: v1::ErrorCode::None.into(),
            message: String::new(),
            cluster_id: cluster_id(image),
            // A single voter is its own controller.
            controller: i32::try_from(self.broker.id().get()).unwrap_or(-1),
            metadata_index: image.index.get(),
            brokers: brokers.collect(),
            topics: u64::try_from(image.topics.len()).unwrap_or(u64::MAX),
            partitions: u64::try_from(image.partition_count).unwrap_or(u64::MAX),
            partitions_without_leader: status.partitions_without_leader,
            partitions_under_min_isr: status.partitions_under_min_isr,
            problems: status.problems,
        }
    }
}

fn directory(status: &ClusterStatus) -> v1::DirectoryStatus {
    v1::DirectoryStatus {
        directory_id: status.directory.id.to_string(),
        path: status.directory.path.display().to_string(),
        healthy: status.directory_problem.is_none(),
        problem: status.directory_problem.clone().unwrap_or_default(),
        free_bytes: status.free_bytes,
        log_bytes: status.log_bytes,
    }
}
