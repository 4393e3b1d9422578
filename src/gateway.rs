//! The gateway: composition root of the daemon on board.
