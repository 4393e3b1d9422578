//! AIS messages that run the radio service or carry what others defined (ITU-R M.1371-5, annex 8: types 6 to 8, 10, 12
//! to 17, 20, 22, 23, 25, 26). They say little of a vessel, but each is somebody's, and is kept.

use std::fmt::Write as _;

use super::bits::Bits;
use super::items::{Form, Item, MMSI, item, read};
use super::text;
use super::weather;
use crate::reading::Value;
use crate::wire::Emit;

const DESTINATION: &str = "communication.ais.destination";
const INTERROGATED: &str = "communication.ais.interrogated";
const MESSAGE: &str = "communication.ais.interrogatedMessage";
const SLOT: &str = "communication.ais.slotOffset";

/// Types 7 and 13.
const ACKNOWLEDGE: [Item; 4] = [
    item(40, 30, "communication.ais.acknowledged", MMSI).of("1"),
    item(72, 30, "communication.ais.acknowledged", MMSI).of("2"),
    item(104, 30, "communication.ais.acknowledged", MMSI).of("3"),
    item(136, 30, "communication.ais.acknowledged", MMSI).of("4"),
];

/// Types 6, 10 and 12.
const ADDRESSED: [Item; 1] = [item(40, 30, DESTINATION, MMSI)];

/// Type 15. The second station has one message, the first two.
const INTERROGATION: [Item; 8] = [
    item(40, 30, INTERROGATED, MMSI).of("1"),
    item(70, 6, MESSAGE, Form::Count(1, 63)).of("1.1"),
    item(76, 12, SLOT, Form::Count(1, 4_095)).of("1.1"),
    item(90, 6, MESSAGE, Form::Count(1, 63)).of("1.2"),
    item(96, 12, SLOT, Form::Count(1, 4_095)).of("1.2"),
    item(110, 30, INTERROGATED, MMSI).of("2"),
    item(140, 6, MESSAGE, Form::Count(1, 63)).of("2.1"),
    item(146, 12, SLOT, Form::Count(1, 4_095)).of("2.1"),
];

/// Type 16.
const ASSIGNMENT: [Item; 6] = [
    item(40, 30, "communication.ais.assigned", MMSI).of("1"),
    item(70, 12, SLOT, Form::Count(0, 4_095)).of("1"),
    item(82, 10, "communication.ais.slotIncrement", Form::Count(0, 1_023)).of("1"),
    item(92, 30, "communication.ais.assigned", MMSI).of("2"),
    item(122, 12, SLOT, Form::Count(0, 4_095)).of("2"),
    item(134, 10, "communication.ais.slotIncrement", Form::Count(0, 1_023)).of("2"),
];

/// Type 17.
const REFERENCE: [Item; 1] = [item(40, 18, "navigation.position", Form::Tenths)];

/// Type 20: up to four reservations of slots. A number of zero is no reservation.
const RESERVATION: [Item; 16] = [
    item(40, 12, SLOT, Form::Count(1, 4_095)).of("1"),
    item(52, 4, "communication.ais.slots", Form::Count(1, 15)).of("1"),
    item(56, 3, "communication.ais.slotTimeout", Form::Count(1, 7)).of("1"),
    item(59, 11, "communication.ais.slotIncrement", Form::Count(1, 2_047)).of("1"),
    item(70, 12, SLOT, Form::Count(1, 4_095)).of("2"),
    item(82, 4, "communication.ais.slots", Form::Count(1, 15)).of("2"),
    item(86, 3, "communication.ais.slotTimeout", Form::Count(1, 7)).of("2"),
    item(89, 11, "communication.ais.slotIncrement", Form::Count(1, 2_047)).of("2"),
    item(100, 12, SLOT, Form::Count(1, 4_095)).of("3"),
    item(112, 4, "communication.ais.slots", Form::Count(1, 15)).of("3"),
    item(116, 3, "communication.ais.slotTimeout", Form::Count(1, 7)).of("3"),
    item(119, 11, "communication.ais.slotIncrement", Form::Count(1, 2_047)).of("3"),
    item(130, 12, SLOT, Form::Count(1, 4_095)).of("4"),
    item(142, 4, "communication.ais.slots", Form::Count(1, 15)).of("4"),
    item(146, 3, "communication.ais.slotTimeout", Form::Count(1, 7)).of("4"),
    item(149, 11, "communication.ais.slotIncrement", Form::Count(1, 2_047)).of("4"),
];

/// Type 22, beside its area or its two stations.
const CHANNELS: [Item; 7] = [
    item(40, 12, "communication.ais.channel", Form::Count(0, 4_095)).of("A"),
    item(52, 12, "communication.ais.channel", Form::Count(0, 4_095)).of("B"),
    item(64, 4, "communication.ais.transmitReceiveMode", Form::Count(0, 15)),
    item(68, 1, "communication.ais.lowPower", Form::Flag),
    item(140, 1, "communication.ais.narrowBand", Form::Flag).of("A"),
    item(141, 1, "communication.ais.narrowBand", Form::Flag).of("B"),
    // Nautical miles, less one.
    item(142, 3, "communication.ais.transitionalZone", Form::Scaled(0, 7, 1_852.0, 1_852.0)),
];
const CHANNEL_AREA: [Item; 2] = [
    item(69, 18, "communication.ais.area", Form::Tenths).of("northEast"),
    item(104, 18, "communication.ais.area", Form::Tenths).of("southWest"),
];
const CHANNEL_STATIONS: [Item; 2] = [item(69, 30, DESTINATION, MMSI).of("1"), item(104, 30, DESTINATION, MMSI).of("2")];

/// Type 23.
const GROUP: [Item; 7] = [
    item(40, 18, "communication.ais.area", Form::Tenths).of("northEast"),
    item(75, 18, "communication.ais.area", Form::Tenths).of("southWest"),
    item(110, 4, "communication.ais.stationType", Form::Count(0, 15)),
    item(114, 8, "communication.ais.shipType", Form::Count(0, 255)),
    item(144, 2, "communication.ais.transmitReceiveMode", Form::Count(0, 3)),
    item(146, 4, "communication.ais.reportingInterval", Form::Count(0, 15)),
    // Minutes.
    item(150, 4, "communication.ais.quietTime", Form::Scaled(0, 15, 60.0, 0.0)),
];

/// Reads a message of the types above, whose length was checked.
pub fn service(kind: u8, bits: &Bits<'_>, emit: &mut Emit<'_>) {
    match kind {
        6 => {
            read(&ADDRESSED, bits, emit);
            application(bits, 72, bits.count(), emit);
        }
        7 | 13 => read(&ACKNOWLEDGE, bits, emit),
        8 => {
            application(bits, 40, bits.count(), emit);
            weather::read(bits, emit);
        }
        10 => read(&ADDRESSED, bits, emit),
        12 => {
            read(&ADDRESSED, bits, emit);
            text::emit("communication.ais.safetyText", bits, 72, bits.count(), emit);
        }
        14 => text::emit("communication.ais.safetyText", bits, 40, bits.count(), emit),
        15 => read(&INTERROGATION, bits, emit),
        16 => read(&ASSIGNMENT, bits, emit),
        17 => {
            read(&REFERENCE, bits, emit);
            hexadecimal("communication.ais.differentialCorrections", bits, 80, bits.count(), emit);
        }
        20 => read(&RESERVATION, bits, emit),
        22 => {
            let addressed = bits.unsigned(139, 1) == 1;
            read(if addressed { &CHANNEL_STATIONS } else { &CHANNEL_AREA }, bits, emit);
            read(&CHANNELS, bits, emit);
        }
        23 => read(&GROUP, bits, emit),
        25 => binary(bits, bits.count(), emit),
        // The radio's own status of 20 bits ends the message; 4 bits before it are spare.
        26 => binary(bits, bits.count().saturating_sub(20), emit),
        _ => {}
    }
}

/// Types 6 and 8: who defined the contents (designated area code), which of its messages it is (function identifier),
/// and the contents as they are.
fn application(bits: &Bits<'_>, at: usize, end: usize, emit: &mut Emit<'_>) {
    let (area, function) = (bits.unsigned(at, 10), bits.unsigned(at + 10, 6));
    emit.good("communication.ais.application", Value::text(&format!("{area}/{function}")));
    hexadecimal("communication.ais.binary", bits, at + 16, end, emit);
}

/// Types 25 and 26: addressed or not, with an application's number or not.
fn binary(bits: &Bits<'_>, end: usize, emit: &mut Emit<'_>) {
    let (addressed, structured) = (bits.unsigned(38, 1) == 1, bits.unsigned(39, 1) == 1);
    let mut at = 40;
    if addressed {
        read(&ADDRESSED, bits, emit);
        at += 30;
    }
    if structured && at + 16 <= end {
        application(bits, at, end, emit);
    } else {
        hexadecimal("communication.ais.binary", bits, at, end, emit);
    }
}

/// Bits as hexadecimal digits, the last byte filled with zeros. The longest message has 1,008 bits of contents, 252
/// digits: it fits into a text whole.
fn hexadecimal(path: &'static str, bits: &Bits<'_>, from: usize, end: usize, emit: &mut Emit<'_>) {
    let mut text = String::with_capacity(crate::reading::TEXT_BYTES_MAX);
    for at in (from..end).step_by(8).take(crate::reading::TEXT_BYTES_MAX / 2) {
        let width = (end - at).min(8);
        // Writing into a String cannot fail.
        let _ = write!(text, "{:02x}", bits.unsigned(at, width) << (8 - width));
    }
    if !text.is_empty() {
        emit.good(path, Value::text(&text));
    }
}
