//! Words of AIS messages, which NMEA 0183 and NMEA 2000 carry alike (ITU-R M.1371-5, annex 8, table 45).

/// Signal K's words for the navigational status, by its code.
pub const STATES: &[(u8, &str)] = &[
    (0, "motoring"),
    (1, "anchored"),
    (2, "not under command"),
    (3, "restricted manouverability"),
    (4, "constrained by draft"),
    (5, "moored"),
    (6, "aground"),
    (7, "fishing"),
    (8, "sailing"),
    (9, "hazardous material high speed"),
    (10, "hazardous material wing in ground"),
    (11, "towing astern"),
    (12, "pushing ahead or towing alongside"),
    (14, "ais-sart"),
];

/// Signal K's words for the special maneuver indicator.
pub const MANEUVERS: &[(u8, &str)] = &[(1, "not engaged"), (2, "engaged")];
