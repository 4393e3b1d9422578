//! AIS in VDM and VDO sentences: fragments are put together, the payload is unpacked, its values become readings.
//!
//! Crate `ais` decodes the static messages (types 4, 5, 11, 19, 21, 24). What it rounds is read from the bits here: it
//! keeps positions as `f32` (a step of 1.7 m at 180 degrees), gives the rate of turn without its sign, and does not
//! know the position of type 27 that is not available. It does not decode types 22, 23, 25 and 26. Types without a
//! vessel's data (6 to 8, 10, 12 to 17, 20) make no readings yet; all of those are counted by type, none is an error.

mod bits;
mod fragments;
mod values;

use super::number;
use super::reject::Rejected;
use super::sentence::Fields;
use super::table::BadField;
use crate::wire::Emit;
use crate::wire::Talker;
use bits::Bits;
use fragments::{Fragment, Fragments, Key};

/// AIS types are six bits.
const TYPES: usize = 64;

/// AIS messages of one bus on their way in.
#[derive(Debug)]
pub struct Ais {
    fragments: Fragments,
    bytes: Vec<u8>,
    unread: [u64; TYPES],
}

impl Default for Ais {
    fn default() -> Self {
        Self { fragments: Fragments::default(), bytes: Vec::new(), unread: [0; TYPES] }
    }
}

impl Ais {
    /// Fragments whose message never became whole.
    pub const fn fragments_lost(&self) -> u64 {
        self.fragments.lost()
    }

    /// Messages that made no reading since nothing here reads their type; the index is the type.
    pub const fn unread(&self) -> &[u64; TYPES] {
        &self.unread
    }

    /// Takes one VDM or VDO sentence; emits readings when it completes a message.
    pub fn take(
        &mut self,
        fields: &Fields<'_>,
        talker: Talker,
        own: bool,
        emit: Emit<'_>,
    ) -> Result<Result<(), Rejected>, BadField> {
        let fragment = fragment(fields, talker, own)?;
        let fill = fragment.fill;
        let Some(payload) = self.fragments.join(fragment) else { return Ok(Ok(())) };
        let Some(bits) = Bits::unpack(payload, fill, &mut self.bytes) else { return Ok(Err(Rejected::BadAisPayload)) };
        Ok(match values::read(&bits, own, emit) {
            Ok(values::Read::Readings) => Ok(()),
            Ok(values::Read::Unread(kind)) => {
                self.unread[usize::from(kind) % TYPES] += 1;
                Ok(())
            }
            Err(values::Broken) => Err(Rejected::BadAisPayload),
        })
    }
}

/// The sentence's own fields (IEC 61162-1, 8.3.99 VDM).
fn fragment<'a>(fields: &Fields<'a>, talker: Talker, own: bool) -> Result<Fragment<'a>, BadField> {
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
    Ok(Fragment { key: Key { talker, own, channel, sequence }, total, number, fill, payload: fields.get(4) })
}
