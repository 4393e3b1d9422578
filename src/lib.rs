//! Hawser: the firmware of a vessel's edge gateway. It records every reading, serves the crew with no internet, and
//! ties the ship to the shore over links that vanish for weeks: nothing acknowledged is lost, nothing takes effect
//! twice.
//!
//! # The way of a reading
//!
//! A bus ([`sensors`], I/O) hands bytes to a decoder ([`wire`], pure), which tells values; these become [`reading`]s of
//! a series and wait in a bounded lane of the [`bus`]. One writer drains all lanes into a day file
//! ([`store::telemetry`]), in groups, and syncs it every second. What is safely on the disk goes to brokers
//! ([`uplink`], live) and to the shore ([`sync`], the truth). The shore's database acknowledges; only then is it
//! delivered, and may age out ([`store::retention`]).
//!
//! # The way of a record
//!
//! An edit ([`api`]) and its change are one transaction ([`store::records`]). The change log is the outbox: each
//! destination has a cursor over it. The shore orders the log of each vessel ([`sync::hub`]); conflicts are decided by
//! a pure function that names its reason ([`sync::plan`]); the vessel keeps what the shore confirmed and its own open
//! changes on top ([`sync::spoke`]).
//!
//! # Layers: a module names only what stands to its left
//!
//! [`reading`] [`record`] [`clock`] [`entropy`] [`config`] <- [`wire`] <- [`bus`] <- [`sensors`]; [`bus`] <- [`store`]
//! <- [`uplink`] [`sync`] [`update`] <- [`api`] <- [`gateway`] <- `main`; [`shore`] stands beside [`gateway`]. [`sim`],
//! [`replay`], [`decode`] and [`demo`] are tools around them. `tests/tidy.rs` enforces it.
//!
//! # Invariants
//!
//! 1. [`wire`] given any bytes returns; it never panics and knows neither time nor files.
//! 2. [`sensors`] never sees the store; the store never hears of MQTT; the uplink sees rows, not sensors.
//! 3. An edit of a record and its change are one transaction with `synchronous=FULL`; "stored" is said after it.
//!    A cursor moves only on acknowledgement by the far database; for a broker, by the broker.
//! 4. Only what is safely on the disk is sent: a sequence number that was sent is never given out again.
//! 5. Dropping what was meant for somebody and not delivered is loss: a row in the ledger, told to the shore first.
//! 6. Everything is bounded: memory, queues, disk, retries. Each bound says what happens when full, and counts.
//! 7. After a failed commit or sync a file is not written again; a damaged file is set aside, never deleted.
//! 8. Only [`clock`] asks the time, only [`entropy`] draws at random. Each row says how far its time is trusted.
//! 9. Offline is a state, not a fault. The gateway is complete with no link at all.
//! 10. Only [`update::health`] marks a slot good, and only when the same sources deliver at their rates again.
//! 11. The gateway writes nothing to a bus but Modbus questions that read. Only [`sim`], no part of it, speaks.

pub mod api;
pub mod bus;
pub mod clock;
pub mod config;
pub mod decode;
pub mod demo;
pub mod durable_file;
pub mod entropy;
pub mod gateway;
pub mod http_client;
pub mod reading;
pub mod record;
pub mod replay;
pub mod sensors;
pub mod shore;
pub mod sim;
pub mod store;
pub mod sync;
pub mod update;
pub mod uplink;
pub mod wire;
