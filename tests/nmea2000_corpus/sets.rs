//! What each capture must give.

/// What the other program printed.
#[derive(Clone, Copy, Debug)]
pub enum Expected {
    /// canboat's analyzer in C: a JSON object a line.
    Json(&'static str),
    /// The same, as text.
    Text(&'static str),
    /// canboatjs: input and output in one file.
    Cases,
    /// Nobody; only the messages are counted.
    Nothing,
}

/// One capture.
#[derive(Debug)]
pub struct Set {
    /// Under `nmea2000/` of the corpus.
    pub file: &'static str,
    /// What it is held against.
    pub expected: Expected,
    /// Messages of ours, messages that the other side printed, fields that agree, readings that agree.
    pub counts: [u64; 4],
    /// What differs, how often, and why.
    pub differs: &'static [(&'static str, u64, &'static str)],
}

// Why we differ.
const FRAMES_AS_MESSAGES: &str =
    "the analyzer took each 8-byte frame of a fast packet for a message, though the log says PLAIN_MIX_FAST";
const OTHER_VARIANT: &str = "the version-8 analyzer takes this distress call for another variant";
const DROPPED_BY_ANALYZER: &str = "all frames stand in the capture; the analyzer drops the message";
const UNIT_OF_KEY: &str = "a value by key, in the unit of the key: radians";
const LINE_OF_8: &str = "a line of 8 bytes in a log that does not say its format is a frame";
const ENDS_BEFORE: &str = "the message ends before it";
const INSIDE_NAME: &str = "printed as fields of the message; ours has them inside the NAME";
const ADDRESS_255: &str = "255 is everybody's address, not unknown";
const SHORT_FRAME_0: &str = "a frame 0 of 2 bytes is refused; the test pads it with its neighbours";
const SET_NAME: &str = "canboatjs names a repeating set so";
const OTHER_FORM: &str = "canboatjs of that version has another name or form for the field";

/// All sets.
pub const SETS: &[Set] = &[
    Set {
        file: "canboat-samples/PGN127507.raw",
        expected: Expected::Json("canboat-samples/expected/PGN127507.raw.jsonl"),
        counts: [85, 85, 385, 85],
        differs: &[],
    },
    Set {
        file: "canboat-samples/actisense-522.candump.log",
        expected: Expected::Json("canboat-samples/expected/actisense-522.candump.log.jsonl"),
        counts: [14, 14, 151, 7],
        differs: &[
            ("129808 1st Telecommand", 1, OTHER_VARIANT),
            ("129808 DSC Format Symbol", 1, OTHER_VARIANT),
            ("129808 DSC Message Address", 1, OTHER_VARIANT),
            ("129808 MMSI of Ship In Distress", 1, OTHER_VARIANT),
        ],
    },
    Set {
        file: "canboat-samples/candump-fast-cr.txt",
        expected: Expected::Json("canboat-samples/expected/candump-fast-cr.txt.jsonl"),
        counts: [5, 5, 50, 40],
        differs: &[],
    },
    Set {
        file: "canboat-samples/candump-fast.txt",
        expected: Expected::Json("canboat-samples/expected/candump-fast.txt.jsonl"),
        counts: [5, 5, 50, 40],
        differs: &[],
    },
    Set {
        file: "canboat-samples/candumpSample1.txt",
        expected: Expected::Json("canboat-samples/expected/candumpSample1.txt.jsonl"),
        counts: [2378, 2376, 14801, 6589],
        differs: &[
            ("130944 Test ID", 1, "canboat 9 shows each set that is there; the version-8 analyzer stops"),
            ("130944 Test result", 1, "canboat 9 shows each set that is there; the version-8 analyzer stops"),
            ("extra 126208", 2, DROPPED_BY_ANALYZER),
        ],
    },
    Set {
        file: "canboat-samples/candumpSample2.txt",
        expected: Expected::Json("canboat-samples/expected/candumpSample2.txt.jsonl"),
        counts: [267, 267, 1263, 563],
        differs: &[],
    },
    Set {
        file: "canboat-samples/maretron-alm100-alert.raw",
        expected: Expected::Json("canboat-samples/expected/maretron-alm100-alert.raw.jsonl"),
        counts: [1, 1, 10, 0],
        differs: &[],
    },
    Set {
        file: "canboat-samples/navico-measured-sources.raw",
        expected: Expected::Json("canboat-samples/expected/navico-measured-sources.raw.jsonl"),
        counts: [199, 199, 1949, 19],
        differs: &[],
    },
    Set {
        file: "canboat-samples/pgn127489.txt",
        expected: Expected::Json("canboat-samples/expected/pgn127489.txt.jsonl"),
        counts: [10, 10, 78, 60],
        differs: &[],
    },
    Set {
        file: "canboat-samples/sample-YDWG02.txt",
        expected: Expected::Json("canboat-samples/expected/sample-YDWG02.txt.jsonl"),
        counts: [23, 23, 44, 23],
        differs: &[],
    },
    Set {
        file: "canboat-samples/simulator2.raw",
        expected: Expected::Json("canboat-samples/expected/simulator2.raw.jsonl"),
        counts: [787, 786, 3799, 1365],
        differs: &[("extra 126996", 1, DROPPED_BY_ANALYZER)],
    },
    Set {
        file: "canboat-samples/simulator_wind_temp_env.raw",
        expected: Expected::Json("canboat-samples/expected/simulator_wind_temp_env.raw.jsonl"),
        counts: [579, 579, 2906, 1138],
        differs: &[],
    },
    Set {
        file: "canboat-samples/strings.raw",
        expected: Expected::Json("canboat-samples/expected/strings.raw.jsonl"),
        counts: [12, 12, 95, 3],
        differs: &[],
    },
    Set {
        file: "canboat-samples/susteranna2020.raw",
        expected: Expected::Json("canboat-samples/expected/susteranna2020.raw.jsonl"),
        counts: [4416, 6080, 14098, 5016],
        differs: &[
            ("127507 Battery Instance", 8, FRAMES_AS_MESSAGES),
            ("127507 Enabled", 8, FRAMES_AS_MESSAGES),
            ("127507 Instance", 8, FRAMES_AS_MESSAGES),
            ("127507 Operating State", 8, FRAMES_AS_MESSAGES),
            ("130824 Data", 22, FRAMES_AS_MESSAGES),
            ("130824 Industry Code", 22, FRAMES_AS_MESSAGES),
            ("130824 Manufacturer Code", 22, FRAMES_AS_MESSAGES),
            ("130824 Reserved", 22, FRAMES_AS_MESSAGES),
            ("65294 Data", 10, "canboat 9 reads the first byte as a field of its own"),
            ("extra 130817", 1, FRAMES_AS_MESSAGES),
            ("extra 130820", 7, FRAMES_AS_MESSAGES),
            ("extra 130822", 5, FRAMES_AS_MESSAGES),
            ("extra 130824", 206, FRAMES_AS_MESSAGES),
            ("extra 130845", 5, FRAMES_AS_MESSAGES),
            ("extra 130847", 14, FRAMES_AS_MESSAGES),
            ("extra 130860", 13, FRAMES_AS_MESSAGES),
            (
                "extra 65301",
                1,
                "a message of no bytes from address 255, which nobody can hold; the analyzer passes it over",
            ),
            ("missing 127509", 14, FRAMES_AS_MESSAGES),
            ("missing 130817", 17, FRAMES_AS_MESSAGES),
            ("missing 130820", 38, FRAMES_AS_MESSAGES),
            ("missing 130822", 24, FRAMES_AS_MESSAGES),
            ("missing 130824", 1702, FRAMES_AS_MESSAGES),
            ("missing 130845", 16, FRAMES_AS_MESSAGES),
            ("missing 130847", 29, FRAMES_AS_MESSAGES),
            ("missing 130860", 60, FRAMES_AS_MESSAGES),
            ("missing 262386", 16, "canboat's own word about the capture, never on a bus"),
        ],
    },
    Set {
        file: "canboat-tests/actisense-format.in",
        expected: Expected::Text("canboat-tests/actisense-format.out"),
        counts: [4, 4, 16, 3],
        differs: &[],
    },
    Set {
        file: "canboat-tests/dms-format.in",
        expected: Expected::Text("canboat-tests/dms-format.out"),
        counts: [1, 3, 2, 1],
        differs: &[("missing 129025", 2, "one message, printed three ways")],
    },
    Set {
        file: "canboat-tests/invalid-pgn-test.in",
        expected: Expected::Text("canboat-tests/invalid-pgn-test.out"),
        counts: [1, 1, 4, 0],
        differs: &[("126992 Date", 1, "a date is 16 bits without sign: 2121, not 1985")],
    },
    Set {
        file: "canboat-tests/iso-tp-test.in",
        expected: Expected::Json("canboat-tests/iso-tp-test.out"),
        counts: [1, 1, 128, 54],
        differs: &[],
    },
    Set {
        file: "canboat-tests/mixed-format.in",
        expected: Expected::Text("canboat-tests/mixed-format.out"),
        counts: [9, 9, 96, 6],
        differs: &[
            ("130824 Value 1", 1, UNIT_OF_KEY),
            ("130824 Value 2", 1, UNIT_OF_KEY),
            ("130824 Value 3", 2, UNIT_OF_KEY),
            ("130824 Value 4", 1, UNIT_OF_KEY),
            ("130824 Value 6", 1, UNIT_OF_KEY),
            ("130824 Value 7", 1, UNIT_OF_KEY),
            ("130824 Value 8", 1, UNIT_OF_KEY),
        ],
    },
    Set { file: "canboat-tests/pcan-view.in", expected: Expected::Nothing, counts: [7, 0, 0, 12], differs: &[] },
    Set {
        file: "canboat-tests/pgn-126208-request-130817.in",
        expected: Expected::Json("canboat-tests/pgn-126208-request-130817.out"),
        counts: [2, 2, 14, 0],
        differs: &[],
    },
    Set {
        file: "canboat-tests/pgn-126998-lau-ff.in",
        expected: Expected::Json("canboat-tests/pgn-126998-lau-ff.out"),
        counts: [2, 2, 0, 0],
        differs: &[],
    },
    Set {
        file: "canboat-tests/pgn-60928.in",
        expected: Expected::Json("canboat-tests/pgn-60928-nv.out"),
        counts: [2, 2, 18, 0],
        differs: &[],
    },
    Set {
        file: "canboat-tests/pgn-65379-test.in",
        expected: Expected::Text("canboat-tests/pgn-65379-test.out"),
        counts: [5, 7, 39, 0],
        differs: &[("missing 126208", 2, LINE_OF_8)],
    },
    Set {
        file: "canboat-tests/pgn-test-actisense.in",
        expected: Expected::Json("canboat-tests/pgn-test-actisense.out"),
        counts: [22, 22, 72, 26],
        differs: &[],
    },
    Set {
        file: "canboat-tests/pgn-test.in",
        expected: Expected::Json("canboat-tests/pgn-test-json-nv.out"),
        counts: [29, 30, 297, 77],
        differs: &[("129540 Range residuals", 1, ENDS_BEFORE), ("missing 127513", 1, LINE_OF_8)],
    },
    Set {
        file: "canboat-tests/pgn-test.in",
        expected: Expected::Json("canboat-tests/pgn-test-json.out"),
        counts: [29, 30, 297, 77],
        differs: &[("129540 Range residuals", 1, ENDS_BEFORE), ("missing 127513", 1, LINE_OF_8)],
    },
    Set {
        file: "canboat-tests/pgn-test.in",
        expected: Expected::Text("canboat-tests/pgn-test.out"),
        counts: [29, 30, 363, 77],
        differs: &[
            ("126208 Parameter 1", 1, ENDS_BEFORE),
            ("126208 Parameter 2", 1, ENDS_BEFORE),
            ("129540 Range residuals 18", 1, ENDS_BEFORE),
            ("130822 Arbitrary address capable", 1, INSIDE_NAME),
            ("130822 Device Class", 1, INSIDE_NAME),
            ("130822 Device Function", 1, INSIDE_NAME),
            ("130822 Device Instance Lower", 1, INSIDE_NAME),
            ("130822 Device Instance Upper", 1, INSIDE_NAME),
            ("130822 Industry Group", 1, INSIDE_NAME),
            ("130822 Manufacturer Code", 1, INSIDE_NAME),
            ("130822 System Instance", 1, INSIDE_NAME),
            ("130822 Value", 1, INSIDE_NAME),
            ("130845 Address", 4, ADDRESS_255),
            ("130846 Address", 1, ADDRESS_255),
            ("130850 Address", 5, ADDRESS_255),
            ("missing 127513", 1, LINE_OF_8),
        ],
    },
    Set {
        file: "canboat-tests/recombine-frames.in",
        expected: Expected::Text("canboat-tests/recombine-frames.out"),
        counts: [6, 8, 65, 19],
        differs: &[(
            "missing 129029",
            2,
            "canboat joins frames out of order; a bus keeps their order, so frames were lost",
        )],
    },
    Set {
        file: "canboat-tests/short-frame.in",
        expected: Expected::Text("canboat-tests/short-frame.out"),
        counts: [1, 1, 1, 0],
        differs: &[
            ("129029 Latitude", 1, SHORT_FRAME_0),
            ("129029 SID", 1, SHORT_FRAME_0),
            ("129029 Time", 1, SHORT_FRAME_0),
        ],
    },
    Set {
        file: "canboatjs-cases/cases.json",
        expected: Expected::Cases,
        counts: [41, 41, 221, 0],
        differs: &[
            ("126464 ##list##", 1, SET_NAME),
            ("129039 communicationState", 1, OTHER_FORM),
            ("129039 regionalApplication", 1, OTHER_FORM),
            ("129039 regionalApplicationB", 1, OTHER_FORM),
            ("129540 ##list##", 2, SET_NAME),
            ("129540 rangeResidualMode", 1, OTHER_FORM),
            ("129793 communicationState", 1, OTHER_FORM),
            ("129798 communicationState", 1, OTHER_FORM),
            ("129798 spare", 1, OTHER_FORM),
            ("129810 spare13", 1, OTHER_FORM),
            ("130842 messageId", 1, OTHER_FORM),
            ("130850 proprietaryId", 2, OTHER_FORM),
            ("130850 unknown", 2, OTHER_FORM),
            ("60928 spare", 1, OTHER_FORM),
            ("65012 powerFactor", 1, OTHER_FORM),
            ("65025 powerFactor", 1, OTHER_FORM),
            ("65379 subMode", 1, OTHER_FORM),
        ],
    },
    Set { file: "other-formats/actisense1.ebl", expected: Expected::Nothing, counts: [14, 0, 0, 7], differs: &[] },
    Set { file: "pcap/can0-1.pcap", expected: Expected::Nothing, counts: [24429, 0, 0, 43224], differs: &[] },
];
