//! Sync with the shore: one endpoint, push and pull, the same code on both sides.
//!
//! [`protocol`] are the messages; [`plan`] decides conflicts and is pure; [`hub`] and [`spoke`] are what each side does
//! to its database in one transaction; [`link`] carries messages over HTTPS and knows when to try again. The hub orders
//! each vessel's log; a spoke never merges: it keeps what the hub confirmed, and its own changes on top (SYNC.md,
//! Topology).

pub mod hub;
pub mod link;
pub mod plan;
pub mod protocol;
pub mod readings;
pub mod spoke;

#[cfg(test)]
mod tests;
