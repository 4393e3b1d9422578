//! What is kept: readings in day files, records with their change log. Never hears of MQTT (invariant 2).

pub mod records;
pub mod retention;
pub mod space;
pub mod sqlite;
pub mod telemetry;

/// The number of the schema of everything that is stored here: it grows with each migration of any database. A system
/// that knows a smaller one could not read the data of this one. The builder of the image counts the same steps and
/// writes them into each bundle (os/image/schema.py).
pub const SCHEMA: u32 = telemetry::schema::SCHEMA_VERSION + records::MIGRATIONS.len() as u32;
