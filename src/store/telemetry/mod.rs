//! Day files of readings.
