//! The reasons for which a server refuses, by name.

use std::fmt;

/// An exception code. Source: Application Protocol V1.1b3, section 7. Code 7 is of older editions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Exception(pub u8);

/// Code, name for people, and the reason that metrics count it under.
const NAMES: &[(u8, &str, &str)] = &[
    (1, "illegal function", "modbus_exception_illegal_function"),
    (2, "illegal data address", "modbus_exception_illegal_data_address"),
    (3, "illegal data value", "modbus_exception_illegal_data_value"),
    (4, "server device failure", "modbus_exception_server_device_failure"),
    (5, "acknowledge", "modbus_exception_acknowledge"),
    (6, "server device busy", "modbus_exception_server_device_busy"),
    (7, "negative acknowledge", "modbus_exception_negative_acknowledge"),
    (8, "memory parity error", "modbus_exception_memory_parity_error"),
    (10, "gateway path unavailable", "modbus_exception_gateway_path_unavailable"),
    (11, "gateway target device failed to respond", "modbus_exception_gateway_target_device_failed_to_respond"),
];

impl Exception {
    /// Whether the server says that it does not know these registers, or not so many at once: a shorter read may do.
    /// Devices tell a read that is too long as either (section 6.3 has 3 for the quantity, 2 for its end).
    pub const fn refuses_registers(self) -> bool {
        matches!(self.0, 2 | 3)
    }

    /// Whether a gateway answered in place of a device that did not.
    pub const fn is_of_gateway(self) -> bool {
        matches!(self.0, 10 | 11)
    }

    /// The reason that metrics count it under.
    pub fn reason(self) -> &'static str {
        self.row().map_or("modbus_exception_other", |row| row.2)
    }

    fn row(self) -> Option<&'static (u8, &'static str, &'static str)> {
        NAMES.iter().find(|row| row.0 == self.0)
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exception {} ({})", self.0, self.row().map_or("no name", |row| row.1))
    }
}
