//! The simulated vessel.
