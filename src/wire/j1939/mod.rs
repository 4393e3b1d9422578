//! SAE J1939: what engines and gear boxes say of themselves on CAN, as readings and notifications.
//!
//! The table (`table`) has a row for each suspect parameter number (SPN) that becomes a reading; `diagnostics`
//! makes notifications of DM1 and DM2. A PGN more is rows more. It refuses to ask: an ECU that broadcasts a parameter
//! on request only stays silent here.
//!
//! # Which engine
//!
//! `propulsion.<instance>` takes its number from the NAME that claimed the address: its function instance, 0 for the
//! first (J1939-81, NAME fields). Where that is 0 or was not heard the preferred address tells (J1939, preferred
//! addresses): engine #1 is at 0 and #2 at 1, transmission #1 at 3 and #2 at 4. All others are 0; their source keeps
//! them apart.

mod decoder;
mod diagnostics;
mod identity;
mod raw;
mod rows;
mod table;

pub use decoder::{Decoder, REASON_NOT_J1939, REASON_SHORT, REASON_UNSUPPORTED};
pub use diagnostics::REASON_DIAGNOSTICS_FULL;
pub use raw::raw_json;
pub use rows::parameter_name;

#[cfg(test)]
mod tests;
