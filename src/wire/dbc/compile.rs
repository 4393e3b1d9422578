//! From the text of a DBC to plans, with every mistake named by its line.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use can_dbc::{AttributeValue, ByteOrder, Dbc, Message, MessageId, MultiplexIndicator, NumericValue, Signal};
use can_dbc::{SignalExtendedValueType, ValueType};

use super::error::DbcError;
use super::plan::{Bits, Condition, Meaning, MessagePlan, Number, Ranges, SignalPlan};
use super::units::si;
use super::{DBC_BYTES_MAX, Key, Map, Options};
use crate::reading::Quality;
use crate::wire::can::{Identifier, PAYLOAD_BYTES_MAX};

/// The attribute of a signal that names its path.
const PATH_ATTRIBUTE: &str = "SignalKPath";

/// The attribute of a DBC that names its protocol, and the one that is found by PGN.
const PROTOCOL_ATTRIBUTE: &str = "ProtocolType";
const PROTOCOL_J1939: &str = "J1939";

/// The message that editors keep signals of no message in.
const NO_MESSAGE: &str = "VECTOR__INDEPENDENT_SIG_MSG";

/// The longest path.
const PATH_BYTES_MAX: usize = 160;

/// How deep multiplexors stand below each other; the field's DBC files have 2.
const MULTIPLEXORS_MAX: usize = 8;

/// Words of a value table that say "no value" and not "a wrong one".
const NOT_AVAILABLE_WORDS: [&str; 6] = ["not available", "notavailable", "sna", "unavailable", "n/a", "no data"];

pub(super) fn compile(text: &str, options: &Options) -> Result<Map, DbcError> {
    if text.len() > DBC_BYTES_MAX {
        return Err(DbcError::TooLong { bytes: text.len(), max: DBC_BYTES_MAX });
    }
    let dbc = Dbc::try_from(text).map_err(|error| syntax(&error))?;
    let says_j1939 = || {
        let told = dbc.attribute_values_database.iter().find(|a| a.name == PROTOCOL_ATTRIBUTE).map(|a| &a.value);
        matches!(told.or_else(|| dbc.attribute_default(PROTOCOL_ATTRIBUTE)),
            Some(AttributeValue::String(protocol)) if protocol == PROTOCOL_J1939)
    };
    let by_pgn = options.by_pgn.unwrap_or_else(says_j1939);
    let source = Source { text, dbc: &dbc, options, by_pgn };
    let mut messages = HashMap::new();
    for message in dbc.messages.iter().filter(|message| message.name != NO_MESSAGE) {
        let key = source.key(message)?;
        match messages.entry(key) {
            Entry::Vacant(free) => free.insert(source.message(message)?),
            Entry::Occupied(taken) => {
                let what = if matches!(key, Key::Pgn(_)) { "PGN" } else { "identifier" };
                let other: &MessagePlan = taken.get();
                let (line, message) = (source.line(message, None), message.name.clone());
                return Err(DbcError::Twice { line, message, other: other.name.clone(), what });
            }
        };
    }
    if messages.is_empty() {
        return Err(DbcError::Empty);
    }
    let has = |name: &str| {
        let known = |m: &MessagePlan| m.signals.iter().any(|signal| format!("{}.{}", m.name, signal.name) == name);
        messages.values().any(known)
    };
    match options.paths.keys().find(|name| !has(name)) {
        Some(name) => Err(DbcError::NoSuchSignal(name.clone())),
        None => Ok(Map { messages, by_pgn }),
    }
}

/// The parser's error in one line: it draws the place over several, `--> line:column` first.
fn syntax(error: &can_dbc::DbcError) -> DbcError {
    let text = error.to_string();
    let line =
        text.split_once("--> ").and_then(|(_, rest)| rest.split_once(':')).and_then(|(line, _)| line.parse().ok());
    let what = text.lines().last().unwrap_or_default().trim().trim_start_matches("= ").to_owned();
    DbcError::Syntax { line: line.unwrap_or(0), what }
}

struct Source<'a> {
    text: &'a str,
    dbc: &'a Dbc,
    options: &'a Options,
    by_pgn: bool,
}

impl Source<'_> {
    fn key(&self, message: &Message) -> Result<Key, DbcError> {
        match message.id {
            MessageId::Standard(id) if id > 0x7FF => {
                let (line, name) = (self.line(message, None), message.name.clone());
                Err(DbcError::Identifier { line, message: name, id: u32::from(id) })
            }
            MessageId::Standard(id) => Ok(Key::Standard(u32::from(id))),
            MessageId::Extended(id) if self.by_pgn => Ok(Key::Pgn(Identifier::parse(id).pgn)),
            MessageId::Extended(id) => Ok(Key::Extended(id)),
        }
    }

    fn message(&self, message: &Message) -> Result<MessagePlan, DbcError> {
        let signals: Vec<_> =
            message.signals.iter().map(|signal| self.signal(message, signal)).collect::<Result<_, _>>()?;
        let mut paths = HashMap::new();
        for (plan, signal) in signals.iter().zip(&message.signals) {
            if let Some(other) = paths.insert(plan.path.as_str(), signal) {
                let (line, name) = (self.line(message, Some(other)), &other.name);
                let what = format!("line {line}, signal `{name}`, has its path `{}`; each needs its own", plan.path);
                return Err(self.bad(message, signal, what));
            }
        }
        Ok(MessagePlan { name: message.name.clone(), signals })
    }

    fn signal(&self, message: &Message, signal: &Signal) -> Result<SignalPlan, DbcError> {
        let bits = self.bits(message, signal)?;
        let number = self.number(message, signal)?;
        let (low, high) = (float(signal.min), float(signal.max));
        let si = si(&signal.unit);
        let is_quantity = signal.factor != 1.0 || signal.offset != 0.0 || !signal.unit.trim().is_empty();
        Ok(SignalPlan {
            name: signal.name.clone(),
            path: self.path(message, signal)?,
            bits,
            number,
            factor: signal.factor,
            offset: signal.offset,
            range: (low < high).then_some((low, high)),
            si,
            meanings: self.meanings(message, signal, is_quantity),
            conditions: self.conditions(message, signal)?,
            ones_are_absent: self.by_pgn && number == Number::Unsigned,
        })
    }

    fn bits(&self, message: &Message, signal: &Signal) -> Result<Bits, DbcError> {
        let big_endian = signal.byte_order == ByteOrder::BigEndian;
        let bits = Bits::new(signal.start_bit, signal.size, big_endian)
            .ok_or_else(|| self.bad(message, signal, format!("{} bits; it can have 1 to 64", signal.size)))?;
        let size = usize::try_from(message.size).unwrap_or(usize::MAX);
        if size > PAYLOAD_BYTES_MAX || bits.end() > size {
            let what = format!(
                "it ends behind byte {} and the message has {size} (at most {PAYLOAD_BYTES_MAX}); is the byte order \
                 right?",
                bits.end()
            );
            return Err(self.bad(message, signal, what));
        }
        Ok(bits)
    }

    fn number(&self, message: &Message, signal: &Signal) -> Result<Number, DbcError> {
        let told = self.dbc.extended_value_type_for_signal(message.id, &signal.name);
        match told {
            Some(SignalExtendedValueType::IEEEfloat32Bit) if signal.size == 32 => Ok(Number::Float32),
            Some(SignalExtendedValueType::IEEEdouble64bit) if signal.size == 64 => Ok(Number::Float64),
            Some(SignalExtendedValueType::IEEEfloat32Bit | SignalExtendedValueType::IEEEdouble64bit) => {
                let what = format!("a float of {} bits; SIG_VALTYPE_ 1 has 32, 2 has 64", signal.size);
                Err(self.bad(message, signal, what))
            }
            _ if signal.value_type == ValueType::Signed => Ok(Number::Signed),
            _ => Ok(Number::Unsigned),
        }
    }

    fn path(&self, message: &Message, signal: &Signal) -> Result<String, DbcError> {
        let mapped = self.options.paths.get(&format!("{}.{}", message.name, signal.name)).map(String::as_str);
        let attribute = || match self.dbc.signal_attribute(message.id, &signal.name, PATH_ATTRIBUTE) {
            Some(AttributeValue::String(path)) => Some(path.as_str()),
            _ => None,
        };
        match mapped.or_else(attribute).filter(|path| !path.is_empty()) {
            Some(path) if is_path(path) => Ok(path.to_owned()),
            Some(path) => {
                let what = format!("`{path}` is no path like `propulsion.1.revolutions`");
                Err(self.bad(message, signal, what))
            }
            None => Ok(format!("sensors.{}.{}", sanitised(&message.name), sanitised(&signal.name))),
        }
    }

    /// An enumeration's entries are words. Those of a quantity are codes that stand for no value.
    fn meanings(&self, message: &Message, signal: &Signal, is_quantity: bool) -> Vec<(i64, Meaning)> {
        let entries = self.dbc.value_descriptions_for_signal(message.id, &signal.name).unwrap_or_default();
        let meaning = |word: &str| {
            if !is_quantity {
                return Meaning::Word(word.to_owned());
            }
            let plain = word.to_lowercase().replace(['_', '-'], " ");
            let absent = NOT_AVAILABLE_WORDS.iter().any(|known| plain.contains(known));
            Meaning::NoValue(if absent { Quality::NotAvailable } else { Quality::OutOfRange })
        };
        entries.iter().map(|entry| (entry.id, meaning(&entry.description))).collect()
    }

    /// The values that its multiplexor must have, and those that the multiplexor's own must have, and so on.
    fn conditions(&self, message: &Message, signal: &Signal) -> Result<Vec<Condition>, DbcError> {
        let (mut conditions, mut below) = (Vec::new(), signal);
        while let Some((name, ranges)) = self.multiplexor(message, below) {
            let switch = message.signals.iter().find(|s| name.map_or_else(|| is_top_switch(s), |n| s.name == n));
            let Some(switch) = switch.filter(|_| conditions.len() < MULTIPLEXORS_MAX) else {
                let what = "its multiplexor is missing, or they go round in a circle".to_owned();
                return Err(self.bad(message, signal, what));
            };
            conditions.push(Condition { switch: self.bits(message, switch)?, ranges });
            below = switch;
        }
        Ok(conditions)
    }

    /// The multiplexor's name, where the DBC tells it (`SG_MUL_VAL_`), and the values for which the signal is there.
    fn multiplexor(&self, message: &Message, signal: &Signal) -> Option<(Option<&str>, Ranges)> {
        let extended = self.dbc.extended_multiplex.iter();
        let mut told = extended.filter(|e| e.message_id == message.id && e.signal_name == signal.name);
        if let Some(told) = told.next() {
            let ranges = told.mappings.iter().map(|range| (range.min_value, range.max_value)).collect();
            return Some((Some(&told.multiplexor_signal_name), ranges));
        }
        match signal.multiplexer_indicator {
            MultiplexIndicator::MultiplexedSignal(value)
            | MultiplexIndicator::MultiplexorAndMultiplexedSignal(value) => Some((None, vec![(value, value)])),
            MultiplexIndicator::Multiplexor | MultiplexIndicator::Plain => None,
        }
    }

    fn bad(&self, message: &Message, signal: &Signal, what: String) -> DbcError {
        let line = self.line(message, Some(signal));
        DbcError::Signal { line, message: message.name.clone(), signal: signal.name.clone(), what }
    }

    /// The line, from 1, that opens a message or a signal of it; 0 when it is not found.
    fn line(&self, message: &Message, signal: Option<&Signal>) -> usize {
        let opens = |line: &str, words: &[&str]| {
            let mut found = line.split(|c: char| c.is_whitespace() || c == ':').filter(|word| !word.is_empty());
            words.iter().all(|word| found.next() == Some(word))
        };
        let id = message.id.raw().to_string();
        let mut lines = self.text.lines().zip(1..);
        let opening = lines.find(|(line, _)| opens(line, &["BO_", &id, &message.name])).map_or(0, |(_, at)| at);
        let Some(signal) = signal else { return opening };
        lines.find(|(line, _)| opens(line, &["SG_", &signal.name])).map_or(opening, |(_, at)| at)
    }
}

fn is_top_switch(signal: &Signal) -> bool {
    signal.multiplexer_indicator == MultiplexIndicator::Multiplexor
}

fn float(value: NumericValue) -> f64 {
    match value {
        NumericValue::Uint(value) => value as f64,
        NumericValue::Int(value) => value as f64,
        NumericValue::Double(value) => value,
    }
}

/// Parts of letters, digits, `_` and `-` between dots.
fn is_path(path: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    path.len() <= PATH_BYTES_MAX && path.contains('.') && path.split('.').all(is_part)
}

/// A name as a part of a path.
fn sanitised(name: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' };
    name.chars().take(PATH_BYTES_MAX / 2 - 8).map(keep).collect()
}
