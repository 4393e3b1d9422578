//! The demo: a simulated vessel, a gateway and a shore, one command.
