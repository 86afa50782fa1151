//! The services of the fake broker, as thin as the tests allow.

use super::{Fault, Memory};
use bytes::Bytes;
use cairn_proto::v1::{self, ErrorCode};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, btree_map::Entry},
    pin::Pin,
    sync::Arc,
    time::Duration,
};
use tokio::sync::{mpsc, watch};
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};

#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) memory: Arc<Mutex<Memory>>,
    pub(crate) changes: watch::Sender<u64>,
    pub(crate) address: String,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn topic_id(name: &str) -> Bytes {
    let mut id = [0; 16];
    id.iter_mut().zip(name.bytes()).for_each(|(place, byte)| *place = byte);
    Bytes::copy_from_slice(&id)
}

impl Memory {
    fn partition(&mut self, id: &[u8], partition: u32) -> Option<&mut super::PartitionLog> {
        let topic = self.topics.iter_mut().find(|(name, _)| topic_id(name) == id)?;
        topic.1.get_mut(partition as usize)
    }
}

impl Services {
    /// `None`: no answer. Err: the connection is cut.
    fn produce_one(&self, request: v1::ProduceRequest) -> Result<Option<v1::ProduceResponse>, Status> {
        let mut memory = self.memory.lock();
        memory.requests += 1;
        let fault = memory.standing_fault.or_else(|| memory.faults.pop_front()).unwrap_or(Fault::None);
        let mut answer = v1::ProduceResponse {
            request_id: request.request_id,
            append_time_ms: -1,
            message: "as told".to_owned(),
            ..v1::ProduceResponse::default()
        };
        match fault {
            Fault::Cut => return Err(Status::unavailable("cut")),
            Fault::Swallow => return Ok(None),
            Fault::Refuse(code) => {
                answer.set_error(code);
                return Ok(Some(answer));
            }
            Fault::None | Fault::AppendAndSay(_) | Fault::AppendAndCut => {}
        }
        let result = match memory.partition(&request.topic_id, request.partition) {
            Some(log) => log.append(request.batch),
            None => Err(ErrorCode::UnknownTopicOrPartition),
        };
        match result {
            Ok(base_offset) => answer.base_offset = base_offset,
            Err(code) => answer.set_error(code),
        }
        match fault {
            Fault::AppendAndCut => Err(Status::unavailable("cut")),
            Fault::AppendAndSay(code) => {
                answer.set_error(code);
                Ok(Some(answer))
            }
            _ => Ok((request.acks != 2).then_some(answer)),
        }
    }

    fn image(&self, names: &[String]) -> v1::WatchResponse {
        let memory = self.memory.lock();
        let mut image = v1::WatchResponse {
            cluster_id: "fake".to_owned(),
            brokers: vec![v1::BrokerEndpoint {
                broker_id: 0,
                grpc_address: self.address.clone(),
                ..v1::BrokerEndpoint::default()
            }],
            ..v1::WatchResponse::default()
        };
        for name in names {
            match memory.topics.get(name) {
                None => image.missing.push(name.clone()),
                Some(partitions) => image.topics.push(v1::TopicRouting {
                    name: name.clone(),
                    topic_id: topic_id(name),
                    partitions: (0..u32::try_from(partitions.len()).unwrap())
                        .map(|partition| v1::PartitionRouting { partition, leader: 0, leader_epoch: 1 })
                        .collect(),
                    max_message_bytes: memory.max_message_bytes,
                }),
            }
        }
        image
    }

    /// One push for each subscription that has something and credit for it.
    fn pushes(&self, places: &mut HashMap<u32, v1::Subscribe>, credit: &mut i64) -> Vec<v1::FetchResponse> {
        let mut memory = self.memory.lock();
        let mut pushes = Vec::new();
        let ids: Vec<u32> = places.keys().copied().collect();
        for id in ids {
            let place = places.get_mut(&id).unwrap();
            if let Some(mut fault) = memory.fetch_fault.take() {
                fault.subscription_id = id;
                places.remove(&id);
                pushes.push(fault);
                continue;
            }
            let Some(log) = memory.partition(&place.topic_id, place.partition) else { continue };
            let mut push = v1::FetchResponse {
                subscription_id: id,
                high_watermark: log.end,
                log_start_offset: log.start,
                ..v1::FetchResponse::default()
            };
            if place.offset < log.start || place.offset > log.end {
                push.set_error(ErrorCode::OffsetOutOfRange);
                places.remove(&id);
                pushes.push(push);
                continue;
            }
            if *credit <= 0 || place.offset == log.end {
                continue;
            }
            let batches = log.read(place.offset, usize::try_from(*credit).unwrap());
            place.offset = cairn_proto::record::Batch::parse(batches.last().unwrap().clone())
                .unwrap()
                .header()
                .next_offset();
            push.batches = batches.concat().into();
            *credit -= i64::try_from(push.batches.len()).unwrap();
            memory.pushed_bytes += push.batches.len() as u64;
            pushes.push(push);
        }
        pushes
    }
}

#[tonic::async_trait]
impl v1::log_server::Log for Services {
    type ProduceStream = Answers<v1::ProduceResponse>;
    type FetchStream = Answers<v1::FetchResponse>;

    async fn produce(
        &self,
        request: Request<Streaming<v1::ProduceRequest>>,
    ) -> Result<Response<Self::ProduceStream>, Status> {
        let services = self.clone();
        let requests = request.into_inner();
        let answers =
            requests.map(move |request| services.produce_one(request?)).filter_map(Result::transpose);
        Ok(Response::new(Box::pin(answers)))
    }

    async fn fetch(
        &self,
        request: Request<Streaming<v1::FetchRequest>>,
    ) -> Result<Response<Self::FetchStream>, Status> {
        let services = self.clone();
        let mut requests = request.into_inner();
        let (sender, receiver) = mpsc::channel(4);
        #[expect(clippy::disallowed_methods, reason = "it ends with the runtime of this incarnation")]
        tokio::task::spawn(async move {
            let mut places = HashMap::new();
            let mut credit = 0_i64;
            loop {
                let wait = tokio::time::timeout(Duration::from_millis(2), requests.message()).await;
                match wait {
                    Ok(Ok(Some(told))) => {
                        told.unsubscribe.iter().for_each(|id| drop(places.remove(id)));
                        places.extend(told.subscribe.into_iter().map(|place| (place.subscription_id, place)));
                        credit += i64::try_from(told.add_credit_bytes).unwrap();
                        services.memory.lock().granted_bytes += told.add_credit_bytes;
                    }
                    Ok(_) => return,
                    Err(_) => {}
                }
                for push in services.pushes(&mut places, &mut credit) {
                    if sender.send(Ok(push)).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn list_offsets(
        &self,
        request: Request<v1::ListOffsetsRequest>,
    ) -> Result<Response<v1::ListOffsetsResponse>, Status> {
        let mut memory = self.memory.lock();
        let mut answers = Vec::new();
        for query in request.into_inner().queries {
            let mut answer = v1::OffsetAnswer { timestamp_ms: -1, ..v1::OffsetAnswer::default() };
            match memory.partition(&query.topic_id, query.partition) {
                Some(log) => {
                    answer.offset = match query.at {
                        Some(v1::offset_query::At::Earliest(_)) => log.start,
                        Some(v1::offset_query::At::TimestampMs(_)) => -1,
                        _ => log.end,
                    };
                }
                None => answer.set_error(ErrorCode::UnknownTopicOrPartition),
            }
            answers.push(answer);
        }
        Ok(Response::new(v1::ListOffsetsResponse { answers }))
    }

    async fn init_producer_id(
        &self,
        request: Request<v1::InitProducerIdRequest>,
    ) -> Result<Response<v1::InitProducerIdResponse>, Status> {
        let asked = request.into_inner();
        let mut answer = v1::InitProducerIdResponse::default();
        if asked.producer_id >= 0 {
            (answer.producer_id, answer.producer_epoch) = (asked.producer_id, asked.producer_epoch + 1);
        } else {
            let mut memory = self.memory.lock();
            memory.producer_ids += 1;
            answer.producer_id = memory.producer_ids;
        }
        Ok(Response::new(answer))
    }
}

#[tonic::async_trait]
impl v1::cluster_server::Cluster for Services {
    type WatchStream = Answers<v1::WatchResponse>;

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let names = request.into_inner().topics;
        let services = self.clone();
        let changes = tokio_stream::wrappers::WatchStream::new(self.changes.subscribe());
        Ok(Response::new(Box::pin(changes.map(move |_| Ok(services.image(&names))))))
    }

    async fn status(&self, _: Request<v1::StatusRequest>) -> Result<Response<v1::StatusResponse>, Status> {
        Ok(Response::new(v1::StatusResponse {
            cluster_id: "fake".to_owned(),
            ..v1::StatusResponse::default()
        }))
    }
}

#[tonic::async_trait]
impl v1::admin_server::Admin for Services {
    async fn create_topic(
        &self,
        request: Request<v1::CreateTopicRequest>,
    ) -> Result<Response<v1::CreateTopicResponse>, Status> {
        let asked = request.into_inner();
        let mut answer = v1::CreateTopicResponse::default();
        let mut memory = self.memory.lock();
        answer.topic_id = topic_id(&asked.name);
        match memory.topics.entry(asked.name) {
            Entry::Occupied(_) => answer.set_error(ErrorCode::TopicExists),
            Entry::Vacant(place) => {
                let partitions = usize::try_from(asked.partitions.max(1)).unwrap();
                answer.partitions = u32::try_from(partitions).unwrap();
                place.insert(vec![super::PartitionLog::default(); partitions]);
            }
        }
        drop(memory);
        self.changes.send_modify(|version| *version += 1);
        Ok(Response::new(answer))
    }

    async fn delete_topic(
        &self,
        request: Request<v1::DeleteTopicRequest>,
    ) -> Result<Response<v1::DeleteTopicResponse>, Status> {
        let mut answer = v1::DeleteTopicResponse::default();
        if self.memory.lock().topics.remove(&request.into_inner().name).is_none() {
            answer.set_error(ErrorCode::UnknownTopicOrPartition);
        }
        self.changes.send_modify(|version| *version += 1);
        Ok(Response::new(answer))
    }

    async fn alter_topic(
        &self,
        _: Request<v1::AlterTopicRequest>,
    ) -> Result<Response<v1::AlterTopicResponse>, Status> {
        let mut answer =
            v1::AlterTopicResponse { message: "retention.ms: allowed is -1 or more".to_owned(), error: 0 };
        answer.set_error(ErrorCode::InvalidConfig);
        Ok(Response::new(answer))
    }

    async fn list_topics(
        &self,
        request: Request<v1::ListTopicsRequest>,
    ) -> Result<Response<v1::ListTopicsResponse>, Status> {
        // Pages of two, so that paging is used.
        let after = request.into_inner().after;
        let memory = self.memory.lock();
        let mut names = memory.topics.keys().filter(|name| **name > after);
        let topics: Vec<_> = names
            .by_ref()
            .take(2)
            .map(|name| v1::TopicSummary { name: name.clone(), ..v1::TopicSummary::default() })
            .collect();
        Ok(Response::new(v1::ListTopicsResponse { topics, more: names.next().is_some() }))
    }

    async fn describe_topic(
        &self,
        _: Request<v1::DescribeTopicRequest>,
    ) -> Result<Response<v1::DescribeTopicResponse>, Status> {
        Err(Status::unimplemented("not by this one"))
    }

    async fn delete_records(
        &self,
        _: Request<v1::DeleteRecordsRequest>,
    ) -> Result<Response<v1::DeleteRecordsResponse>, Status> {
        // Long enough for the caller's patience to end.
        tokio::time::sleep(Duration::from_secs(60)).await;
        Err(Status::internal("too late"))
    }
}
