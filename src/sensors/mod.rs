//! The sensor buses: I/O, reconnection, hot plug. Never sees the store (invariant 2).
