//! Consumer groups: who shares the partitions of a topic, and how far each group has read. [`group`] decides and knows neither
//! time nor disk.

pub mod group;
