//! Fields of AIS messages that one rule can read: where the bits stand and what they mean. The tables are in
//! [`super::service`] and [`super::weather`].

use super::bits::Bits;
use crate::reading::{Quality, Value};
use crate::wire::Emit;
use crate::wire::nmea0183::rules::Place;

/// One field.
#[derive(Debug)]
pub struct Item {
    /// The first bit.
    pub at: usize,
    /// How many bits.
    pub width: usize,
    /// Path of the reading.
    pub path: &'static str,
    /// Which of several alike.
    pub instance: &'static str,
    /// What the bits mean.
    pub form: Form,
}

/// What bits mean. What is not among the values is not available.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// A count from the first to the second number.
    Count(u32, u32),
    /// The same, times a scale, plus an offset.
    Scaled(u32, u32, f64, f64),
    /// The same in two's complement.
    Signed(i32, i32, f64, f64),
    /// One bit.
    Flag,
    /// Longitude, and latitude of one bit less behind it, in tenths of a minute.
    Tenths,
}

/// An MMSI of somebody; zero is nobody.
pub const MMSI: Form = Form::Count(1, 999_999_999);

pub const fn item(at: usize, width: usize, path: &'static str, form: Form) -> Item {
    Item { at, width, path, instance: "", form }
}

impl Item {
    pub const fn of(self, instance: &'static str) -> Self {
        Self { instance, ..self }
    }

    fn read(&self, bits: &Bits<'_>) -> Option<Value> {
        let raw = bits.unsigned(self.at, self.width);
        match self.form {
            Form::Count(lowest, highest) => (lowest..=highest).contains(&raw).then(|| Value::Integer(i64::from(raw))),
            Form::Scaled(lowest, highest, scale, offset) => {
                (lowest..=highest).contains(&raw).then(|| Value::Float(f64::from(raw) * scale + offset))
            }
            Form::Signed(lowest, highest, scale, offset) => {
                let raw = bits.signed(self.at, self.width);
                (lowest..=highest).contains(&raw).then(|| Value::Float(f64::from(raw) * scale + offset))
            }
            Form::Flag => Some(Value::Bool(raw == 1)),
            Form::Tenths => place(bits, self.at, self.width, 600.0).map(Value::from),
        }
    }
}

/// Longitude of `width` bits and latitude of one less, in parts of a degree; `None` off the globe.
pub fn place(bits: &Bits<'_>, at: usize, width: usize, parts: f64) -> Option<Place> {
    let longitude = f64::from(bits.signed(at, width)) / parts;
    let latitude = f64::from(bits.signed(at + width, width - 1)) / parts;
    let on_the_globe = (-180.0..=180.0).contains(&longitude) && (-90.0..=90.0).contains(&latitude);
    on_the_globe.then_some(Place { latitude, longitude })
}

/// Makes a reading of each item that the message holds whole.
pub fn read(items: &'static [Item], bits: &Bits<'_>, emit: &mut Emit<'_>) {
    for (item, value) in values(items, bits) {
        emit.push(item.path, item.instance, value, Quality::Good);
    }
}

/// The items that the message holds whole, and their values.
pub fn values(items: &'static [Item], bits: &Bits<'_>) -> impl Iterator<Item = (&'static Item, Value)> {
    items.iter().filter_map(|item| {
        let end = item.at + item.width + if matches!(item.form, Form::Tenths) { item.width - 1 } else { 0 };
        Some((item, item.read(bits).filter(|_| end <= bits.count())?))
    })
}
