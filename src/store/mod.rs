//! What is kept: readings in day files, records with their change log. Never hears of MQTT (invariant 2).

pub mod records;
pub mod retention;
pub mod sqlite;
pub mod telemetry;
