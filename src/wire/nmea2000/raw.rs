//! A message with all its fields, for people who look: what canboat's `analyzer -json -nv -si` prints.

use canboat::output::{CamelCase, JsonOptions, write_json};
use canboat::{Database, Frame, Units};

use crate::wire::can::Message;

/// The message as a JSON object: `prio`, `src`, `dst`, `pgn`, `description`, and `fields` by canboat's names, an
/// enumeration as `{"value","name"}`. `None` for a PGN that canboat does not know in any form.
///
/// It is canboat 9.1's own form: where the analyzer in C of version 8 gives percent, litres, litres an hour,
/// ampere-hours and revolutions a minute even in SI, this gives a ratio, m3, m3/s, coulomb and Hz.
pub fn raw_json(message: &Message<'_>) -> Option<String> {
    let identifier = message.identifier;
    let timestamp = message.at.map(|at| at.to_string());
    let (source, destination) = (identifier.source, identifier.destination);
    let frame = Frame::new(
        timestamp,
        identifier.priority,
        identifier.pgn,
        source,
        destination,
        message.payload.iter().copied(),
    );
    let decoded = Database::embedded(Units::Si).decode(&frame).ok()?;
    let options = JsonOptions { name_value: true, camel_case: CamelCase::Off, ..JsonOptions::default() };
    let mut json = String::new();
    write_json(&mut json, &decoded, &options).ok()?;
    Some(json)
}
