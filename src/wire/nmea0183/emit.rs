//! Readings on their way out of a sentence.

use std::borrow::Cow;

use super::word::Talker;
use crate::clock::Stamp;
use crate::reading::{Context, Quality, Value};

/// One value out of a sentence. The bus adds its own name and the time of receipt.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// Whom it is about.
    pub context: Context,
    /// Signal K path.
    pub path: Cow<'static, str>,
    /// Who said it.
    pub talker: Talker,
    /// Which of several alike; empty when there is one only.
    pub instance: Cow<'static, str>,
    /// The value, SI; `Absent` when the quality is not good.
    pub value: Value,
    /// Whether it can be used.
    pub quality: Quality,
    /// When the sentence says it was measured, if it says so and its date is known.
    pub observed_at: Option<Stamp>,
}

/// Takes the readings of one sentence, all of one talker, context and time.
#[derive(Debug)]
pub struct Emit<'a> {
    out: &'a mut Vec<Decoded>,
    talker: Talker,
    context: Context,
    observed_at: Option<Stamp>,
}

impl<'a> Emit<'a> {
    /// Readings of the own ship.
    pub const fn new(out: &'a mut Vec<Decoded>, talker: Talker, observed_at: Option<Stamp>) -> Self {
        Self { out, talker, context: Context::OwnShip, observed_at }
    }

    /// From here on, readings about `context`.
    pub const fn about(self, context: Context) -> Self {
        Self { context, ..self }
    }

    /// A good value.
    pub fn good(&mut self, path: impl Into<Cow<'static, str>>, value: Value) {
        self.push(path.into(), Cow::Borrowed(""), value, Quality::Good);
    }

    /// No value, and why.
    pub fn absent(&mut self, path: impl Into<Cow<'static, str>>, quality: Quality) {
        self.push(path.into(), Cow::Borrowed(""), Value::Absent, quality);
    }

    /// Any reading.
    pub fn push(&mut self, path: Cow<'static, str>, instance: Cow<'static, str>, value: Value, quality: Quality) {
        let (context, talker, observed_at) = (self.context, self.talker, self.observed_at);
        self.out.push(Decoded { context, path, talker, instance, value, quality, observed_at });
    }
}
