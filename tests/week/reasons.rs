//! How each kind of fault shows on each bus: under which reasons it is counted, and under no other.

use hawser::sim::FaultKind::{self, *};

/// How a fault shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shows {
    /// Each of them as a drop under one of these reasons.
    Dropped(&'static [&'static str]),
    /// As readings that are not available, or out of range; as a drop where a field cannot be read at all.
    Quality,
    /// As times of measurement that are off.
    Times,
    /// Not at all: every reading comes, perhaps once more.
    Nowhere,
}

use Shows::{Dropped, Nowhere, Quality, Times};

/// What becomes of a fast packet of which a frame is broken, missing, or there twice.
const FAST: &[&str] = &["fast_packet_incomplete", "fast_packet_timeout", "fast_packet_without_start"];

/// The same of a broadcast of several frames.
const BROADCAST: &[&str] =
    &["transport_incomplete", "transport_malformed", "transport_no_session", "transport_out_of_order"];

/// The same of an AIS message of several sentences, of lines that are numbered, and of groups of them.
const FRAGMENTS: &[&str] = &["ais_fragment_lost"];
const TAGGED: &[&str] = &["ais_fragment_lost", "tag_line_gap", "tag_group_gap"];

/// A frame of NMEA 2000 that lacks its end.
const SHORT: &[&str] = &["short_message", "bad_address_claim", "fast_packet_incomplete", "fast_packet_without_start"];

/// What a random frame can be besides, one in thousands.
const ANY_FRAME: &[&str] = &[
    "bad_address_claim",
    "fast_packet_incomplete",
    "short_message",
    "short_pgn",
    "transport_aborted",
    "transport_incomplete",
    "transport_malformed",
    "transport_no_session",
    "transport_out_of_order",
    "transport_timeout",
];

/// What an endless line breaks where lines are numbered.
const ENDLESS: &[&str] = &["not_a_sentence", "ais_fragment_lost", "tag_line_gap", "tag_group_gap"];

/// A kind of fault, on which buses, how it shows, and the reasons of what goes with it. A bus is named whole, or by its
/// end behind `*`, or by its beginning before `*`.
type Row = (FaultKind, &'static str, Shows, &'static [&'static str]);

/// Of several rows of a kind the first that fits the bus holds.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    (Garbage, "nmea0183", Dropped(&["cut", "not_a_sentence", "bad_address", "bad_tag_block"]), FRAGMENTS),
    (Garbage, "iec61162-450", Dropped(&["cut", "not_a_sentence", "bad_address", "bad_tag_block"]), TAGGED),
    (Garbage, "nmea2000", Dropped(&["unsupported_pgn", "fast_packet_without_start", "transport_malformed"]), ANY_FRAME),
    (Garbage, "j1939", Dropped(&["unsupported_pgn", "transport_no_session", "transport_malformed"]), ANY_FRAME),
    (Garbage, "*+actisense", Dropped(&["not_a_frame"]), &["bad_checksum"]),
    // Random bytes hold `#R` or `##` now and then.
    (Garbage, "*+candump", Dropped(&["not_a_frame", "bad_frame"]), &["remote_frame", "can_fd_frame"]),
    (Garbage, "*", Dropped(&["not_a_frame"]), &[]),
    (Half, "nmea0183", Dropped(&["cut"]), FRAGMENTS),
    (Half, "iec61162-450", Dropped(&["cut"]), TAGGED),
    (Half, "*+actisense", Dropped(&["cut"]), &[]),
    (Half, "nmea2000+candump", Dropped(&["not_a_frame"]), FAST),
    (Half, "j1939+candump", Dropped(&["not_a_frame"]), BROADCAST),
    (Half, "can+candump", Dropped(&["not_a_frame"]), &[]),
    (Half, "nmea2000*", Dropped(SHORT), FAST),
    // A parameter group that is cut short tells what it still holds; broadcasts are rare.
    (Half, "j1939*", Nowhere, &["short_pgn", "transport_incomplete", "transport_malformed", "transport_no_session"]),
    (EndlessLine, "nmea0183", Dropped(&["too_long"]), FRAGMENTS),
    // What it leaves behind the longest line comes in datagrams of its own.
    (EndlessLine, "iec61162-450", Dropped(&["too_long"]), ENDLESS),
    (EndlessLine, "nmea2000*", Dropped(&["too_long"]), FAST),
    (EndlessLine, "*", Dropped(&["too_long"]), &[]),
    (Flood, "nmea0183", Dropped(&["unsupported_sentence"]), &[]),
    (Flood, "iec61162-450", Dropped(&["unsupported_sentence"]), &["duplicate"]),
    (Flood, "can+candump", Dropped(&["unknown_identifier"]), &[]),
    (Flood, "*", Dropped(&["unsupported_pgn"]), &[]),
    (Duplicate, "nmea0183", Nowhere, FRAGMENTS),
    (Duplicate, "iec61162-450", Dropped(&["duplicate"]), &[]),
    (Duplicate, "nmea2000*", Nowhere, FAST),
    (Duplicate, "j1939*", Nowhere, BROADCAST),
    (Reorder, "nmea0183", Nowhere, FRAGMENTS),
    (Reorder, "iec61162-450", Nowhere, TAGGED),
    (Reorder, "nmea2000*", Nowhere, FAST),
    (Reorder, "j1939*", Nowhere, BROADCAST),
    (NotAvailable, "*", Quality, &[]),
    (OutOfRange, "nmea0183", Quality, &["bad_field"]),
    (OutOfRange, "iec61162-450", Quality, &["bad_field"]),
    (OutOfRange, "*", Quality, &[]),
    // J1939 and the battery monitor tell no time here.
    (TimeBack, "j1939*", Nowhere, &[]),
    (TimeBack, "can+candump", Nowhere, &[]),
    (TimeBack, "*", Times, &[]),
    (WeekRollover, "j1939*", Nowhere, &[]),
    (WeekRollover, "can+candump", Nowhere, &[]),
    (WeekRollover, "*", Times, &[]),
];

fn fits(pattern: &str, bus: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => bus.ends_with(end),
        (None, Some(beginning)) => bus.starts_with(beginning),
        (None, None) => bus == pattern,
    }
}

/// How a kind shows on a bus, and the reasons of what goes with it.
pub fn shows(kind: FaultKind, bus: &str) -> (Shows, &'static [&'static str]) {
    let row = ROWS.iter().find(|(of, pattern, ..)| *of == kind && fits(pattern, bus));
    row.map_or((Nowhere, &[]), |(_, _, shows, besides)| (*shows, besides))
}

/// The reasons that a kind may be counted under on a bus.
pub fn reasons(kind: FaultKind, bus: &str) -> impl Iterator<Item = &'static str> {
    let (shows, besides) = shows(kind, bus);
    let own = if let Dropped(own) = shows { own } else { &[] };
    own.iter().chain(besides).copied()
}
