//! Sentences between the systems of a bridge: radar targets, alerts, heartbeats, messages.

use crate::wire::nmea0183::special;
use crate::wire::nmea0183::table::{FieldSpec, SentenceSpec, Special, Take, TimeRule, Valid, field, optional};
use crate::wire::nmea0183::{alert, target};

const fn row(
    formatter: &'static str,
    meaning: &'static str,
    fields: &'static [FieldSpec],
    special: Special,
) -> SentenceSpec {
    SentenceSpec { formatter, meaning, fields, time: TimeRule::None, readings: &[], special }
}

const TARGET: FieldSpec = field("target", "number, 0 to 999");

pub const TTM: SentenceSpec = SentenceSpec {
    time: TimeRule::Utc(13, Valid::Always),
    ..row(
        "TTM",
        "tracked target message",
        &[
            TARGET,
            field("distance", "from own ship, in the unit given"),
            field("bearing_deg", "degrees"),
            field("bearing_reference", "T true, R relative"),
            field("speed", "in the unit given"),
            field("course_deg", "degrees"),
            field("course_reference", "T true, R relative"),
            field("closest_distance", "at the closest point of approach, in the unit given"),
            field("closest_time_min", "minutes, negative when it is past"),
            field("unit", "K km and km/h, N nautical miles and knots, S statute miles and miles an hour"),
            field("name", "of the target"),
            field("status", "L lost, Q acquiring, T tracking"),
            field("reference", "R for the target that gives the reference"),
            field("utc", "hhmmss.ss"),
            field("acquisition", "A automatic, M manual, R reported"),
        ],
        Special::Fields(target::ttm),
    )
};

pub const TLL: SentenceSpec = SentenceSpec {
    time: TimeRule::Utc(6, Valid::Always),
    ..row(
        "TLL",
        "target latitude and longitude",
        &[
            TARGET,
            field("latitude", "ddmm.mmmm"),
            field("latitude_hemisphere", "N or S"),
            field("longitude", "dddmm.mmmm"),
            field("longitude_hemisphere", "E or W"),
            field("name", "of the target"),
            field("utc", "hhmmss.ss"),
            field("status", "L lost, Q acquiring, T tracking"),
            field("reference", "R for the target that gives the reference"),
        ],
        Special::Fields(target::tll),
    )
};

pub const TLB: SentenceSpec =
    row("TLB", "target labels", &[TARGET, field("label", "blank takes it away")], Special::Groups(target::tlb));

pub const WPL: SentenceSpec = row(
    "WPL",
    "waypoint location",
    &[
        field("latitude", "ddmm.mmmm"),
        field("latitude_hemisphere", "N or S"),
        field("longitude", "dddmm.mmmm"),
        field("longitude_hemisphere", "E or W"),
        field("name", "of the waypoint"),
    ],
    Special::Fields(target::wpl),
);

pub const ALR: SentenceSpec = SentenceSpec {
    time: TimeRule::Utc(0, Valid::Always),
    ..row(
        "ALR",
        "set alarm state",
        &[
            field("utc", "of the last change, hhmmss.ss"),
            field("alarm", "number, 0 to 999"),
            field("condition", "A threshold exceeded, V not"),
            field("acknowledged", "A acknowledged, V not"),
            field("description", "text"),
        ],
        Special::Fields(alert::alr),
    )
};

pub const ALF: SentenceSpec = SentenceSpec {
    time: TimeRule::Utc(3, Valid::Always),
    ..row(
        "ALF",
        "alert sentence",
        &[
            field("sentences", "1 or 2"),
            field("sentence", "which of them this is"),
            field("sequence", "0 to 9, the same in both"),
            field("utc", "of the last change, hhmmss.ss"),
            field("category", "A, B or C; IEC 62923-1"),
            field("priority", "E emergency, A alarm, W warning, C caution"),
            field(
                "state",
                "V acknowledged, S silenced, A unacknowledged, O responsibility transferred, U rectified, N normal",
            ),
            field("manufacturer", "mnemonic, blank for standard alerts"),
            field("alert", "identifier"),
            field("instance", "of the alert, 1 to 999999"),
            field("revision", "1 to 99"),
            field("escalation", "0 to 9"),
            field("text", "title in the first sentence, description in the second"),
        ],
        Special::Alert,
    )
};

pub const ALC: SentenceSpec = row(
    "ALC",
    "cyclic alert list; four fields for each alert",
    &[
        field("sentences", "that the list takes"),
        field("sentence", "which of them this is, from 1"),
        field("sequence", "0 to 99"),
        field("alerts", "in this sentence"),
    ],
    Special::Fields(alert::alc),
);

const COMMAND_FIELDS: &[FieldSpec] = &[
    field("utc", "hhmmss.ss"),
    field("manufacturer", "mnemonic, blank for standard alerts"),
    field("alert", "identifier"),
    field("instance", "of the alert"),
    field("command", "A acknowledge, Q request, O transfer responsibility, S silence"),
    field("status", "C command"),
];

pub const ACN: SentenceSpec = row("ACN", "alert command", COMMAND_FIELDS, Special::Fields(alert::acn));

pub const ARC: SentenceSpec = row("ARC", "alert command refused", COMMAND_FIELDS, Special::Fields(alert::arc));

pub const ACK: SentenceSpec =
    row("ACK", "acknowledge alarm", &[field("alarm", "number, 0 to 999")], Special::Fields(alert::ack));

pub const HBT: SentenceSpec = row(
    "HBT",
    "heartbeat supervision",
    &[
        field("interval_s", "seconds between two heartbeats"),
        field("status", "A normal, V not"),
        field("sequence", "0 to 9"),
    ],
    Special::Fields(alert::hbt),
);

pub const TXT: SentenceSpec = row(
    "TXT",
    "text transmission",
    &[
        field("sentences", "that the text takes"),
        field("sentence", "which of them this is, from 1"),
        field("identifier", "of the text"),
        field("text", "^ and two hexadecimal digits for reserved characters"),
    ],
    Special::Fields(special::txt),
);

pub const NRX: SentenceSpec = SentenceSpec {
    readings: &[optional("communication.navtex", Take::Text(12))],
    ..row(
        "NRX",
        "NAVTEX received message",
        &[
            field("sentences", "that the message takes"),
            field("sentence", "which of them this is, from 1"),
            field("sequence", "0 to 99"),
            field("code", "transmitter, subject and serial number"),
            field("frequency", "0 none, 1 490 kHz, 2 518 kHz, 3 4209.5 kHz"),
            field("utc", "hhmmss"),
            field("day", "01 to 31"),
            field("month", "01 to 12"),
            field("year", "four digits"),
            field("characters", "in the message"),
            field("bad_characters", "in the message"),
            field("status", "A valid, V not"),
            field("text", "of the message"),
        ],
        Special::None,
    )
};

pub const SMB: SentenceSpec = SentenceSpec {
    readings: &[optional("communication.safetyNet", Take::Text(4))],
    ..row(
        "SMB",
        "SafetyNET message body",
        &[
            field("sentences", "that the message takes"),
            field("sentence", "which of them this is, from 1"),
            field("sequence", "0 to 9"),
            field("message", "number"),
            field("text", "of the message"),
        ],
        Special::None,
    )
};

pub const EPV: SentenceSpec = row(
    "EPV",
    "equipment property value",
    &[
        field("status", "R reply, C command"),
        field("equipment", "talker"),
        field("identifier", "of the equipment, its MMSI for AIS"),
        field("property", "number"),
        field("value", "of the property"),
    ],
    Special::Fields(special::epv),
);

// Known, and deliberately without readings.

/// A password is nobody's reading.
pub const SPW: SentenceSpec =
    row("SPW", "security password", &[field("protects", "formatter of the next sentence")], Special::None);

/// The area of a message that SMB carries.
pub const SM3: SentenceSpec =
    row("SM3", "SafetyNET message, circular area", &[field("message", "number")], Special::None);

/// Sets a receiver's filter.
pub const NRM: SentenceSpec = row("NRM", "NAVTEX receiver mask", &[field("function", "0 to 2")], Special::None);

/// What its words mean is known to the installation alone.
pub const GEN: SentenceSpec = row(
    "GEN",
    "generic binary information",
    &[field("index", "of the first word"), field("utc", "hhmmss.ss")],
    Special::None,
);

/// America switched its Loran-C chains off in 2010, Europe its own by the end of 2015.
pub const GLC: SentenceSpec = row(
    "GLC",
    "geographic position, Loran-C",
    &[field("interval", "group repetition, tens of microseconds")],
    Special::None,
);
