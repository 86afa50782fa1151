//! Topics and their partitions: which one a record goes to, and what becomes of them when the routing changes.

use super::{Effects, State};
use crate::{
    ProduceError, Record,
    batcher::BatchLimits,
    partitioner::{Sticky, partition_for_key},
    producer::slot::Slot,
    routing::{RoutingTable, TopicRoute},
};
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Topic {
    pub(super) route: Arc<TopicRoute>,
    pub(super) slots: Vec<usize>,
    pub(super) sticky: Sticky,
}

/// The partition for a record.
pub(super) fn choose(topic: &mut Topic, record: &Record, record_bytes: usize, stay_bytes: usize) -> u32 {
    let partitions = topic.route.partition_count();
    match (record.partition, &record.key) {
        (Some(partition), _) => partition,
        (None, Some(key)) => partition_for_key(key, partitions),
        (None, None) => {
            let route = &topic.route;
            let available =
                |partition| route.partition(partition).is_some_and(|known| known.leader.is_some());
            topic.sticky.next((record_bytes, stay_bytes), partitions, available, rand::random)
        }
    }
}

impl State {
    pub(crate) fn add_topic(&mut self, route: &Arc<TopicRoute>) {
        if self.closed || self.topics.contains_key(&route.name) {
            return;
        }
        let mut topic = Topic { route: Arc::clone(route), slots: Vec::new(), sticky: Sticky::default() };
        self.add_slots(&mut topic);
        self.topics.insert(Arc::clone(&route.name), topic);
    }

    fn add_slots(&mut self, topic: &mut Topic) {
        let limits = BatchLimits {
            batch_bytes: self.options.batch_bytes,
            message_bytes_max: topic.route.message_bytes_max,
            compression: self.options.compression,
        };
        for partition in u32::try_from(topic.slots.len()).unwrap_or(u32::MAX)..topic.route.partition_count() {
            let slot = Slot::new(&topic.route, partition, limits, self.identity);
            let index = match self.vacant.pop() {
                Some(index) => index,
                None => self.slots.len(),
            };
            match self.slots.get_mut(index) {
                Some(place) => *place = slot,
                None => self.slots.push(slot),
            }
            topic.slots.push(index);
        }
    }

    /// Takes news of leaders and topics.
    pub(crate) fn reroute(&mut self, table: &RoutingTable, effects: &mut Effects) {
        let names: Vec<Arc<str>> = self.topics.keys().cloned().collect();
        for name in names {
            let Some(mut topic) = self.topics.remove(&name) else { continue };
            match table.topic(&name) {
                Some(route) if route.topic_id != topic.route.topic_id => self.retire(&topic, effects),
                None if table.is_missing(&name) => self.retire(&topic, effects),
                Some(route) if !Arc::ptr_eq(route, &topic.route) => {
                    topic.route = Arc::clone(route);
                    self.add_slots(&mut topic);
                    self.move_slots(&topic, effects);
                    self.topics.insert(name, topic);
                }
                _ => drop(self.topics.insert(name, topic)),
            }
        }
    }

    fn move_slots(&mut self, topic: &Topic, effects: &mut Effects) {
        for (index, route) in topic.slots.iter().zip(&topic.route.partitions) {
            let Some(slot) = self.slots.get_mut(*index) else { continue };
            slot.limits.message_bytes_max = topic.route.message_bytes_max;
            if slot.route.leader != route.leader {
                slot.queued = false;
            }
            slot.route = *route;
            self.after(*index, effects);
        }
    }

    /// The topic does not exist any more.
    fn retire(&mut self, topic: &Topic, effects: &mut Effects) {
        let error = ProduceError::UnknownTopic { topic: topic.route.name.to_string() };
        for index in &topic.slots {
            let Some(slot) = self.slots.get_mut(*index) else { continue };
            let given_up = slot.abandon(&error);
            slot.route.leader = None;
            self.finish(given_up, effects);
            self.vacant.push(*index);
        }
    }
}
