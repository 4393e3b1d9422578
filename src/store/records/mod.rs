//! Records and their change log.
