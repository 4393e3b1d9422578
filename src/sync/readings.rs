//! Readings ashore: collected behind a cursor on board, taken in once by the hub.
use super::protocol::{ProtocolError, ReadingBatch, ReadingsAcked};
use crate::clock::Stamp;
use crate::store::records::{Loss, RecordError, Rows};
pub const PUSH_CURSOR: &str = "shore.readings";
pub fn skip_lost(_r: &Rows<'_>, _o: &str, _l: &Loss) -> Result<(), RecordError> {
    Ok(())
}
pub fn take_in(_r: &Rows<'_>, _o: &str, _b: &ReadingBatch, _at: Stamp) -> Result<ReadingsAcked, super::hub::HubError> {
    Err(ProtocolError::BadReadings(String::new()).into())
}
