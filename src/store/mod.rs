//! What is kept: readings in day files, records with their change log. Never hears of MQTT (invariant 2).

pub mod records;
pub mod retention;
pub mod sqlite;
pub mod telemetry;

/// The number of the schema of everything that is stored here: it grows with each migration of any database. A system
/// that knows a smaller one could not read the data of this one. `SCHEMA` beside this file has it for the builder of
/// the image, which writes it into each bundle.
pub const SCHEMA: u32 = telemetry::schema::SCHEMA_VERSION + records::MIGRATIONS.len() as u32;

#[cfg(test)]
mod tests {
    #[test]
    fn the_builder_of_the_image_is_told_the_same_schema() {
        assert_eq!(include_str!("SCHEMA").trim().parse(), Ok(super::SCHEMA));
    }
}
