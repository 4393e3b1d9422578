//! What is wrong with a DBC.

/// Why a DBC is refused. Each says the line, what stands there and what would be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DbcError {
    /// It is longer than any DBC.
    #[error("{bytes} bytes: a DBC has at most {max}")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The text is no DBC.
    #[error("line {line}: {what}")]
    Syntax {
        /// Where, from 1; 0 where the parser does not tell.
        line: usize,
        /// What was expected.
        what: String,
    },
    /// It has no message.
    #[error("no message: a DBC describes frames as `BO_ 419373310 EEC1: 8 ECU` with signals below")]
    Empty,
    /// An identifier that cannot be.
    #[error(
        "line {line}: message `{message}`: identifier {id} has more than 11 bits; one of 29 bits is written with bit \
         31 set, as {}",
        u64::from(*id) | 1 << 31
    )]
    Identifier {
        /// Where, from 1.
        line: usize,
        /// Which message.
        message: String,
        /// The identifier.
        id: u32,
    },
    /// Two messages would take the same frames.
    #[error("line {line}: message `{message}` has the {what} of `{other}`; one of them can stay")]
    Twice {
        /// Where, from 1.
        line: usize,
        /// The second message.
        message: String,
        /// The first.
        other: String,
        /// Identifier or PGN.
        what: &'static str,
    },
    /// A signal that cannot be.
    #[error("line {line}: signal `{message}.{signal}`: {what}")]
    Signal {
        /// Where, from 1.
        line: usize,
        /// Its message.
        message: String,
        /// Which.
        signal: String,
        /// What is wrong, and what would be right.
        what: String,
    },
    /// A path for a signal that the DBC does not have.
    #[error("`{0}` has a path, and the DBC has no such signal; write it as `message.signal`")]
    NoSuchSignal(String),
}
