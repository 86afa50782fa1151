//! Consumer groups: who shares the partitions of a topic, and how far each group has read. [`group`] decides and knows
//! neither time nor disk; [`groups`] keeps all of them with their offsets; [`record`] is what is written of both.

pub mod group;
pub mod groups;
pub mod record;
