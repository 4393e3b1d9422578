//! A message with all its fields, for people who look, by canboat's J1939 database.

use canboat::output::{CamelCase, JsonOptions, write_json};
use canboat::{Database, Frame, Units};

use crate::wire::can::Message;

/// The message as a JSON object, as [`crate::wire::nmea2000::raw_json`] gives one: canboat's names, SI units. `None`
/// for a PGN that canboat does not know in any form.
pub fn raw_json(message: &Message<'_>) -> Option<String> {
    let id = message.identifier;
    let timestamp = message.at.map(|at| at.to_string());
    let payload = message.payload.iter().copied();
    let frame = Frame::new(timestamp, id.priority, id.pgn, id.source, id.destination, payload);
    let decoded = Database::embedded_j1939(Units::Si).decode(&frame).ok()?;
    let options = JsonOptions { name_value: true, camel_case: CamelCase::Off, ..JsonOptions::default() };
    let mut json = String::new();
    write_json(&mut json, &decoded, &options).ok()?;
    Some(json)
}
