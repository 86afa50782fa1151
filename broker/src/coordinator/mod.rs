//! Consumer groups: who shares the partitions of a topic, and how far each group has read. [`group`] decides and knows neither
//! time nor disk; [`record`] is what is written of it.

pub mod group;
pub mod record;
