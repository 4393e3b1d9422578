//! AIS in VDM and VDO sentences: fragments are put together, the payload is unpacked, its values become readings.
//!
//! All 27 types make readings, each in its sender's context. Types 0 and 28 to 63 are reserved and counted.

mod bits;
mod fragments;
mod items;
mod service;
mod statics;
mod text;
mod values;
mod weather;

use super::number;
use super::reject::Rejected;
use super::sentence::Fields;
use super::table::BadField;
use crate::wire::{Emit, Source};
use bits::Bits;
use fragments::{Fragment, Fragments, Key};

/// AIS messages of one bus on their way in.
#[derive(Debug, Default)]
pub struct Ais {
    fragments: Fragments,
    bytes: Vec<u8>,
    unread: u64,
}

impl Ais {
    /// Fragments whose message never became whole.
    pub const fn fragments_lost(&self) -> u64 {
        self.fragments.lost()
    }

    /// Messages of reserved types, which make no reading.
    pub const fn unread(&self) -> u64 {
        self.unread
    }

    /// The connection ended: messages in the making are given up.
    pub fn end(&mut self) {
        self.fragments.end();
    }

    /// Bytes of memory that are held.
    pub fn held_bytes(&self) -> usize {
        self.fragments.held_bytes() + self.bytes.capacity()
    }

    /// Takes one VDM or VDO sentence; emits readings when it completes a message.
    pub fn take(&mut self, fields: &Fields<'_>, own: bool, emit: Emit<'_>) -> Result<Result<(), Rejected>, BadField> {
        let fragment = fragment(fields, emit.source(), own)?;
        let fill = fragment.fill;
        let Some(payload) = self.fragments.join(fragment) else { return Ok(Ok(())) };
        let Some(bits) = Bits::unpack(payload, fill, &mut self.bytes) else { return Ok(Err(Rejected::BadAisPayload)) };
        Ok(match values::read(&bits, own, emit) {
            Ok(values::Read::Readings) => Ok(()),
            Ok(values::Read::Reserved) => {
                self.unread += 1;
                Ok(())
            }
            Err(values::Broken) => Err(Rejected::BadAisPayload),
        })
    }
}

/// The sentence's own fields (IEC 61162-1, 8.3.99 VDM).
fn fragment<'a>(fields: &Fields<'a>, source: Source, own: bool) -> Result<Fragment<'a>, BadField> {
    /// A single digit each, by the standard.
    const FRAGMENTS_MAX: u32 = 9;
    let digit = |at: usize, highest: u32| match number::whole(fields.get(at)).map_err(BadField::at(at))? {
        Some(value) if value <= highest => Ok(u8::try_from(value).ok()),
        Some(_) => Err(BadField(at)),
        None => Ok(None),
    };
    let total = digit(0, FRAGMENTS_MAX)?.filter(|n| *n > 0).ok_or(BadField(0))?;
    let number = digit(1, u32::from(total))?.filter(|n| *n > 0).ok_or(BadField(1))?;
    let sequence = digit(2, 9)?;
    let channel = fields.get(3).first().copied();
    // Receivers leave the field blank when no bit is filling.
    let fill = digit(5, 5)?.unwrap_or(0);
    Ok(Fragment { key: Key { source, own, channel, sequence }, total, number, fill, payload: fields.get(4) })
}
