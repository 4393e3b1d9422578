//! Why a line gave nothing. Each reason is counted by its name; none of them stops the stream.

use crate::wire::Formatter;

/// Why bytes of a bus were not taken as a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejected {
    /// Bytes between sentences: comments, prefixes, another protocol on the same port, a wrong baud rate.
    #[error("bytes that belong to no sentence")]
    NotASentence,
    /// A sentence that grew past the limit without an end.
    #[error("no end of line within the limit")]
    TooLong,
    /// A sentence that broke off before its checksum: a new start, a control character or the end of the stream.
    #[error("broken off before the checksum")]
    Cut,
    /// The address is not a talker and a formatter.
    #[error("the address field is not a talker and a formatter")]
    BadAddress,
    /// The checksum does not fit what came.
    #[error("checksum says {said:02X}, the sentence makes {made:02X}")]
    BadChecksum {
        /// What the sentence carries.
        said: u8,
        /// What its characters make.
        made: u8,
    },
    /// `*` is not followed by two hexadecimal digits.
    #[error("no two hexadecimal digits behind the asterisk")]
    BrokenChecksum,
    /// There is no checksum and the rule asks for one.
    #[error("no checksum, and this bus requires one")]
    NoChecksum,
    /// The TAG block is not closed, has a wrong checksum, or no sentence follows it.
    #[error("broken TAG block")]
    BadTagBlock,
    /// More fields than any sentence has.
    #[error("too many fields")]
    TooManyFields,
    /// A field cannot be what its place says.
    #[error("{formatter}: field `{field}` is malformed")]
    BadField {
        /// Which sentence.
        formatter: Formatter,
        /// The field's name in the table.
        field: &'static str,
    },
    /// The AIS payload breaks its own rules: characters outside the armour, too short for its type.
    #[error("the AIS payload is malformed")]
    BadAisPayload,
}

impl Rejected {
    /// All names, for registering the counters once.
    pub const NAMES: [&'static str; 11] = [
        "not_a_sentence",
        "too_long",
        "cut",
        "bad_address",
        "bad_checksum",
        "broken_checksum",
        "no_checksum",
        "bad_tag_block",
        "too_many_fields",
        "bad_field",
        "bad_ais_payload",
    ];

    /// Place of the reason in [`Rejected::NAMES`], for counting in an array.
    pub const fn index(self) -> usize {
        match self {
            Self::NotASentence => 0,
            Self::TooLong => 1,
            Self::Cut => 2,
            Self::BadAddress => 3,
            Self::BadChecksum { .. } => 4,
            Self::BrokenChecksum => 5,
            Self::NoChecksum => 6,
            Self::BadTagBlock => 7,
            Self::TooManyFields => 8,
            Self::BadField { .. } => 9,
            Self::BadAisPayload => 10,
        }
    }

    /// The reason's name, as metrics label it.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self.index()]
    }
}
