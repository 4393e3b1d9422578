//! The captures, what they must give, and why we differ where we do.

/// Whose reading ours is held against.
#[derive(Clone, Copy, Debug)]
pub enum Oracle {
    /// gpsd's reports, in the file beside it with `.chk` at its end.
    Gpsd,
    /// One JSON object for each AIS message, in this file.
    Messages(&'static str),
    /// The crates `nmea` and `ais`.
    Crates,
    /// Nobody's: it must not break, and gives these counts.
    None,
}

impl Oracle {
    /// For the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gpsd => "gpsd",
            Self::Messages(_) => "messages",
            Self::Crates => "crates",
            Self::None => "none",
        }
    }
}

/// One capture.
#[derive(Debug)]
pub struct Set {
    pub file: &'static str,
    pub oracle: Oracle,
    pub sentences: u64,
    pub rejected: u64,
    pub equal: u64,
    /// Field, how often it differs, and why.
    pub differs: &'static [(&'static str, u64, &'static str)],
}

const fn set(file: &'static str, oracle: Oracle, sentences: u64, rejected: u64, equal: u64) -> Set {
    Set { file, oracle, sentences, rejected, equal, differs: &[] }
}

pub static SETS: &[Set] = &[
    set("nmea0183/gpsd/april6_2019.log", Oracle::Gpsd, 3, 0, 9),
    set("nmea0183/gpsd/bu303-nofix.log", Oracle::None, 0, 15, 0),
    set("nmea0183/gpsd/bundg_zeus_9.log", Oracle::Gpsd, 4999, 0, 4859),
    set("nmea0183/gpsd/com-1289.log", Oracle::Gpsd, 97, 1, 339),
    Set {
        differs: &[(
            "position",
            2,
            "gpsd holds back the position of the first sentences (mode 1), ours is right at once",
        )],
        ..set("nmea0183/gpsd/furuno_gl_ga.log", Oracle::Gpsd, 306, 0, 770)
    },
    set("nmea0183/gpsd/garmin48.log", Oracle::Gpsd, 91, 1, 157),
    set("nmea0183/gpsd/humminbird-M37.log", Oracle::Gpsd, 98, 0, 147),
    set("nmea0183/gpsd/navisys-gr701w.log", Oracle::None, 0, 1010, 0),
    set("nmea0183/gpsd/nmea-fuzzy-cases.log", Oracle::Gpsd, 28, 0, 151),
    set("nmea0183/gpsd/nmea-rtk.log", Oracle::Gpsd, 244, 0, 1339),
    set("nmea0183/gpsd/pypilot.log", Oracle::Gpsd, 29, 0, 30),
    set("nmea0183/gpsd/quectel-eg25-g-2.log", Oracle::Gpsd, 60, 0, 347),
    set("nmea0183/gpsd/sounder.log", Oracle::Gpsd, 244, 0, 123),
    set("nmea0183/gpsd/tcp-test.log", Oracle::Gpsd, 7, 1, 31),
    Set {
        differs: &[(
            "time",
            1,
            "gpsd corrects a GPS week rollover by its own start date; we give the date that was sent",
        )],
        ..set("nmea0183/gpsd/tcp-torture.log", Oracle::Gpsd, 7, 1, 30)
    },
    set("nmea0183/gpsd/telit-he910.log", Oracle::Gpsd, 1558, 0, 5210),
    set("nmea0183/gpsd/ublox-neo-m8n.log", Oracle::None, 0, 129, 0),
    set("nmea0183/gpsd/udp-test.log", Oracle::Gpsd, 7, 1, 31),
    set("nmea0183/pynmeagps/feyman_nmea.log", Oracle::None, 22, 0, 0),
    set("nmea0183/pynmeagps/pygpsdata-BADHDR.log", Oracle::Crates, 15, 1, 12),
    set("nmea0183/pynmeagps/pygpsdata-maritime.log", Oracle::None, 15, 0, 0),
    set("nmea0183/pynmeagps/pygpsdata-mixed.log", Oracle::Crates, 15, 21, 6),
    set("nmea0183/pynmeagps/pygpsdata-nmeabadck.log", Oracle::Crates, 1, 2, 3),
    set("nmea0183/pynmeagps/pygpsdata-nmeastartup.log", Oracle::Crates, 12, 0, 2),
    set("nmea0183/signalk-server/gps.log", Oracle::Crates, 5748, 0, 9611),
    set("nmea0183/signalk-server/plaka-first12000.log", Oracle::Crates, 12000, 0, 6000),
    set("ais/gpsd/ais-nmea.log", Oracle::Gpsd, 1496, 0, 5087),
    Set {
        differs: &[(
            "position",
            1,
            "GGA with quality 2 and no satellites: gpsd calls it no fix, the sentence does not",
        )],
        ..set("ais/gpsd/saab-r4.log", Oracle::Gpsd, 122, 0, 160)
    },
    Set {
        differs: &[
            ("timestamp", 1, "year 10196, day 00: gpsd prints it, we say nothing"),
            ("data", 2, "type 26: gpsd lets bits of the radio's status into the last byte, beyond its own count"),
            ("mmsi3", 2, "the message ends within the third MMSI; gpsd fills it with zeros"),
            ("text", 1, "@ ends a text (ITU-R M.1371-5, 3.3.7); gpsd reads on"),
            ("visibility", 2, "127 is not available (SN.1/Circ.289); gpsd prints 12.7"),
        ],
        ..set("ais/gpsd/sample.aivdm", Oracle::Messages("ais/gpsd/sample.aivdm.js.chk"), 118, 3, 708)
    },
    Set {
        differs: &[
            ("name", 1, "libais reads six-bit 31 and 39 as - and `; ITU-R M.1371-5 table 47 has _ and '"),
            ("speed", 1, "type 9 has whole knots (ITU-R M.1371-5 table 64); libais reads tenths"),
            ("timestamp", 1, "26:60:26 is no time of day; libais prints it"),
            ("text", 1, "@ ends a text (ITU-R M.1371-5, 3.3.7); libais prints it"),
            ("mmsi2", 1, "1047084199 has ten digits and is no MMSI"),
        ],
        // The three that are rejected have a sender of ten digits.
        ..set("ais/libais/typeexamples.nmea", Oracle::Messages("ais/libais/typeexamples.json"), 23, 3, 89)
    },
    set("ais/pyais/nmea_data_sample.txt", Oracle::Crates, 798, 100, 2304),
    set("ais/signalk-server/nais400-merrimac.log", Oracle::Crates, 765, 0, 1920),
];
