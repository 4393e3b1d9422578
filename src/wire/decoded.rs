//! Values on their way from a wire to a reading.

use std::borrow::Cow;

use super::source::Source;
use crate::clock::Stamp;
use crate::reading::{Context, Quality, Value};

/// One value out of a message. The bus adds its own name and the time of receipt.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// Whom it is about.
    pub context: Context,
    /// Signal K path.
    pub path: Cow<'static, str>,
    /// Who said it.
    pub source: Source,
    /// Which of several alike; empty when there is one only.
    pub instance: Cow<'static, str>,
    /// The SI unit, where the path alone does not tell it: device maps, DBC files.
    pub unit: Option<&'static str>,
    /// The value, SI; `Absent` when the quality is not good.
    pub value: Value,
    /// Whether it can be used.
    pub quality: Quality,
    /// When the message says it was measured, if it says so and its date is known.
    pub observed_at: Option<Stamp>,
}

/// Takes the readings of one message, all of one source, context and time.
#[derive(Debug)]
pub struct Emit<'a> {
    out: &'a mut Vec<Decoded>,
    source: Source,
    context: Context,
    observed_at: Option<Stamp>,
}

impl<'a> Emit<'a> {
    /// Readings of the own ship.
    pub const fn new(out: &'a mut Vec<Decoded>, source: Source, observed_at: Option<Stamp>) -> Self {
        Self { out, source, context: Context::OwnShip, observed_at }
    }

    /// From here on, readings about `context`.
    pub const fn about(self, context: Context) -> Self {
        Self { context, ..self }
    }

    /// From here on, readings measured at this time.
    pub const fn observed(self, observed_at: Option<Stamp>) -> Self {
        Self { observed_at, ..self }
    }

    /// Who told all of them.
    pub const fn source(&self) -> Source {
        self.source
    }

    /// When all of them were measured, if the message says so.
    pub const fn observed_at(&self) -> Option<Stamp> {
        self.observed_at
    }

    /// A good value.
    #[inline]
    pub fn good(&mut self, path: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        self.push(path, "", value, Quality::Good);
    }

    /// No value, and why.
    #[inline]
    pub fn absent(&mut self, path: impl Into<Cow<'static, str>>, quality: Quality) {
        self.push(path, "", Value::Absent, quality);
    }

    /// Any reading. It is made where it stays, of parts that need no clean-up if there is no memory: made beforehand
    /// and then moved into the vector it would cost twice as much.
    #[inline]
    pub fn push(
        &mut self,
        path: impl Into<Cow<'static, str>>,
        instance: impl Into<Cow<'static, str>>,
        value: impl Into<Value>,
        quality: Quality,
    ) {
        let (context, source, observed_at) = (self.context, self.source, self.observed_at);
        self.out.extend(std::iter::once_with(|| Decoded {
            context,
            path: path.into(),
            source,
            instance: instance.into(),
            unit: None,
            value: value.into(),
            quality,
            observed_at,
        }));
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<i64> for Value {
    fn from(count: i64) -> Self {
        Self::Integer(count)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}
