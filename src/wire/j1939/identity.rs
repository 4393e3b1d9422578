//! Who an ECU is: its NAME, and what it says of itself (component and software identification).

use crate::wire::SourceInfo;

/// The longest text kept of an identification; J1939-71 allows 200 a field, the field's devices write about 20.
const TEXT_BYTES_MAX: usize = 64;

/// Function of an engine's controller, the same in every industry group (J1939-81, functions below 128).
const FUNCTION_ENGINE: u8 = 0;
/// Function of a transmission's controller.
const FUNCTION_TRANSMISSION: u8 = 3;

/// A NAME, taken apart (J1939-81, NAME fields).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name(pub u64);

impl Name {
    /// The maker's code.
    pub const fn manufacturer(self) -> u16 {
        (self.0 >> 21 & 0x7FF) as u16
    }

    /// The number of this device among those of the same function, from 0.
    pub const fn function_instance(self) -> u8 {
        (self.0 >> 35 & 0x1F) as u8
    }

    /// What the device does.
    pub const fn function(self) -> u8 {
        (self.0 >> 40) as u8
    }
}

/// The number in `propulsion.<instance>`; the module's head says how it is found.
pub(super) fn instance(name: Option<Name>, address: u8) -> u8 {
    match (name.map_or(0, Name::function_instance), address) {
        (0, 1 | 4) => 1,
        (instance, _) => instance,
    }
}

/// What one ECU said of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Identity {
    manufacturer: String,
    model: String,
    serial: String,
    software: String,
}

impl Identity {
    /// Bytes that one takes at most, its four texts included.
    pub const BYTES_MAX: usize = size_of::<Self>() + 4 * TEXT_BYTES_MAX;

    /// Component identification (CI, PGN 65259): make, model, serial number, unit number, each ended by `*`.
    pub fn component(&mut self, payload: &[u8]) {
        let mut fields = payload.split(|byte| *byte == b'*').map(printable);
        let mut next = || fields.next().unwrap_or_default();
        (self.manufacturer, self.model, self.serial) = (next(), next(), next());
    }

    /// Software identification (SOFT, PGN 65242): the number of fields, then each ended by `*`.
    pub fn software(&mut self, payload: &[u8]) {
        let fields = payload.split_first().map_or(payload, |(_, fields)| fields);
        self.software = printable(fields.split(|byte| *byte == b'*').next().unwrap_or_default());
    }

    /// For people who look for the device.
    pub fn info(&self, source: String, address: u8, name: Option<Name>) -> SourceInfo {
        let function = match name.map(Name::function) {
            None => String::new(),
            Some(FUNCTION_ENGINE) => "engine".to_owned(),
            Some(FUNCTION_TRANSMISSION) => "transmission".to_owned(),
            Some(other) => format!("function {other}"),
        };
        let by_code = || name.map_or_else(String::new, |name| format!("code {}", name.manufacturer()));
        let manufacturer = if self.manufacturer.is_empty() { by_code() } else { self.manufacturer.clone() };
        let Self { model, serial, software, .. } = self.clone();
        SourceInfo { source, address: Some(address), function, manufacturer, model, software, serial }
    }
}

/// A field's printable ASCII, cut at [`TEXT_BYTES_MAX`].
fn printable(field: &[u8]) -> String {
    let kept = field.iter().filter(|byte| matches!(byte, b' '..=b'~')).take(TEXT_BYTES_MAX);
    kept.map(|byte| char::from(*byte)).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instance_is_the_names_or_the_preferred_addresss() {
        let second = Name(1 << 35);
        assert_eq!(instance(Some(second), 0), 1);
        assert_eq!(instance(Some(Name(0)), 1), 1, "two engines whose NAMEs both say the first");
        assert_eq!([0, 1, 3, 4, 17].map(|address| instance(None, address)), [0, 1, 0, 1, 0]);
    }

    #[test]
    fn an_ecu_says_who_it_is() {
        let mut identity = Identity::default();
        identity.component(b"CMMNS*6.7L\x00*12345678**");
        identity.software(b"\x01V1.2*");
        let info = identity.info("address0".to_owned(), 0, Some(Name(0xC000_0000_0000_0000 | 10 << 21)));
        assert_eq!((&info.manufacturer[..], &info.model[..], &info.serial[..]), ("CMMNS", "6.7L", "12345678"));
        assert_eq!((&info.software[..], &info.function[..]), ("V1.2", "engine"));
        let nameless = Identity::default().info(String::new(), 0, Some(Name(10 << 21 | 25 << 40)));
        assert_eq!((&nameless.manufacturer[..], &nameless.function[..]), ("code 10", "function 25"));
    }
}
