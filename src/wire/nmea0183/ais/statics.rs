//! What AIS stations say of themselves that does not move: names, sizes, voyages (ITU-R M.1371-5, annex 8, types 5, 19,
//! 21, 24).

use super::bits::Bits;
use super::text::{self, SixBitText};
use crate::reading::Value;
use crate::wire::Emit;
use crate::wire::nmea0183::table::Words;

static CLASSES: Words = Words::new(&[(b'A', "A"), (b'B', "B")]);

/// Type 5.
pub fn voyage(bits: &Bits<'_>, emit: &mut Emit<'_>) {
    text::emit("name", bits, 112, 232, emit);
    text::emit("communication.callsignVhf", bits, 70, 112, emit);
    let imo = bits.unsigned(40, 30);
    if imo != 0 {
        emit.good("registrations.imo", Value::text(&format!("IMO {imo}")));
    }
    class(b'A', emit);
    ship_type(bits.unsigned(232, 8), emit);
    size(bits, 240, emit);
    let draught_dm = bits.unsigned(294, 8);
    if draught_dm > 0 {
        emit.good("design.draft.current", f64::from(draught_dm) / 10.0);
    }
    text::emit("navigation.destination.commonName", bits, 302, 422, emit);
    // No year is sent, so this is no date; `03-29T11:00Z` is what the crew typed in.
    let [month, day, hour, minute] =
        [(274, 4), (278, 5), (283, 5), (288, 6)].map(|(at, width)| bits.unsigned(at, width));
    if (1..=12).contains(&month) && day > 0 && hour < 24 && minute < 60 {
        let eta = format!("{month:02}-{day:02}T{hour:02}:{minute:02}Z");
        emit.good("navigation.destination.eta", Value::text(&eta));
    }
}

/// Type 19, beside what moves.
pub fn class_b_extended(bits: &Bits<'_>, emit: &mut Emit<'_>) {
    text::emit("name", bits, 143, 263, emit);
    class(b'B', emit);
    ship_type(bits.unsigned(263, 8), emit);
    size(bits, 271, emit);
}

/// Type 21, beside where it is. A name of more than 20 characters goes on at the end.
pub fn aid(bits: &Bits<'_>, emit: &mut Emit<'_>) {
    let mut name = SixBitText::default();
    name.add(bits, 43, 163);
    name.add(bits, 272, bits.count());
    name.emit("name", emit);
    emit.good("atonType", i64::from(bits.unsigned(38, 5)));
    size(bits, 219, emit);
    // Off position is said only with a second of measurement (ITU-R M.1371-5, table 73).
    if bits.unsigned(253, 6) < 60 {
        emit.good("offPosition", bits.unsigned(259, 1) == 1);
    }
    emit.good("virtual", bits.unsigned(269, 1) == 1);
}

/// Type 24: part A is the name, part B the rest.
pub fn class_b(bits: &Bits<'_>, emit: &mut Emit<'_>) {
    match bits.unsigned(38, 2) {
        0 => text::emit("name", bits, 40, 160, emit),
        1 => {
            class(b'B', emit);
            ship_type(bits.unsigned(40, 8), emit);
            text::emit("sensors.ais.vendor", bits, 48, 66, emit);
            text::emit("communication.callsignVhf", bits, 90, 132, emit);
            // A craft of a mother ship (MMSI 98...) sends that ship's MMSI in place of its size.
            if bits.unsigned(8, 30) / 10_000_000 == 98 {
                emit.good("registrations.motherShip", i64::from(bits.unsigned(132, 30)));
            } else {
                size(bits, 132, emit);
            }
        }
        _ => {}
    }
}

fn class(class: u8, emit: &mut Emit<'_>) {
    if let Some(class) = CLASSES.get(class) {
        emit.good("sensors.ais.class", class);
    }
}

/// Zero is not available.
fn ship_type(code: u32, emit: &mut Emit<'_>) {
    if code != 0 {
        emit.good("design.aisShipType", i64::from(code));
    }
}

/// Distances from the antenna to bow, stern, port and starboard from bit `at` on, metres. Zero is not available.
fn size(bits: &Bits<'_>, at: usize, emit: &mut Emit<'_>) {
    let [bow, stern, port, starboard] =
        [(at, 9), (at + 9, 9), (at + 18, 6), (at + 24, 6)].map(|(at, width)| f64::from(bits.unsigned(at, width)));
    if bow + stern > 0.0 {
        emit.good("design.length.overall", bow + stern);
    }
    if port + starboard > 0.0 {
        emit.good("design.beam", port + starboard);
    }
    // With no distance to bow and port only the size is meant (ITU-R M.1371-5, figure 41).
    if bow > 0.0 && port > 0.0 {
        emit.good("sensors.ais.fromBow", bow);
        emit.good("sensors.ais.fromCenter", (port - starboard) / 2.0);
    }
}
