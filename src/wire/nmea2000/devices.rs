//! The devices of one bus, by NAME: what their address claims and product information tell.
//!
//! It never asks. A device whose claim was not heard is known by its address until it claims again; what it told until
//! then goes with it to its NAME.

use canboat::{Database, Units};

use super::field::TextField;
use crate::wire::can::names::{Claim, Names};
use crate::wire::{Source, SourceInfo};

/// Devices that are kept: an address each (252 are for devices), and as many that lost theirs. One with its texts is
/// about 700 bytes, so all are 350 KiB. When full, one without an address goes first.
pub const DEVICES_MAX: usize = 504;

/// A text of 126996 or 126998 that is kept; the former are 32 bytes.
const TEXT_CHARS_MAX: usize = 70;

/// Who is on a bus.
#[derive(Debug, Default)]
pub struct Devices {
    names: Names,
    /// Bit set: the address was heard.
    heard: [u64; 4],
    devices: Vec<Device>,
}

#[derive(Debug)]
struct Device {
    source: Source,
    model: String,
    software: String,
    serial: String,
    installation: String,
}

impl Devices {
    /// Who speaks from `address`.
    #[inline]
    pub fn source(&mut self, address: u8) -> Source {
        let source = self.names.name(address).map_or(Source::Address(address), Source::Name);
        let (word, bit) = (usize::from(address / 64), 1 << (address % 64));
        if self.heard[word] & bit == 0 {
            self.heard[word] |= bit;
            self.device(source);
        }
        source
    }

    /// Takes an address claim; what it changed.
    pub fn claim(&mut self, address: u8, name: u64) -> Claim {
        let claim = self.names.claim(address, name);
        if let Claim::NewHolder { before, .. } = claim {
            let unnamed = self.devices.iter().position(|device| device.source == Source::Address(address));
            let known = self.devices.iter().any(|device| device.source == Source::Name(name));
            match unnamed {
                Some(at) if before.is_none() && !known => self.devices[at].source = Source::Name(name),
                Some(at) => drop(self.devices.swap_remove(at)),
                None => {}
            }
            self.device(Source::Name(name));
        }
        claim
    }

    /// Takes product information (126996).
    pub fn product(&mut self, source: Source, payload: &[u8]) {
        let [model, software, version, serial] = texts(126_996, payload);
        if let Some(device) = self.device(source) {
            device.model =
                if version.is_empty() { model } else { format!("{model} {version}").trim_start().to_owned() };
            (device.software, device.serial) = (software, serial);
        }
    }

    /// Takes configuration information (126998): what the installer wrote down.
    pub fn configuration(&mut self, source: Source, payload: &[u8]) {
        let frame = canboat::Frame::new(None, 6, 126_998, 0, 255, payload.iter().copied());
        let Ok(told) = Database::embedded(Units::Si).decode(&frame) else { return };
        let text = |name| told.field_by_name(name).and_then(|field| field.value.as_str()).map_or("", str::trim);
        let both = [text("Installation Description #1"), text("Installation Description #2")];
        let installation = both.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ");
        if let Some(device) = self.device(source) {
            device.installation = installation.chars().take(TEXT_CHARS_MAX).collect();
        }
    }

    /// The device's entry, made when new; `None` when there is no room.
    fn device(&mut self, source: Source) -> Option<&mut Device> {
        if let Some(at) = self.devices.iter().position(|device| device.source == source) {
            return Some(&mut self.devices[at]);
        }
        if self.devices.len() >= DEVICES_MAX {
            let gone = self.devices.iter().position(|device| self.address(device.source).is_none())?;
            self.devices.swap_remove(gone);
        }
        let [model, software, serial, installation] = Default::default();
        self.devices.push(Device { source, model, software, serial, installation });
        self.devices.last_mut()
    }

    fn address(&self, source: Source) -> Option<u8> {
        match source {
            Source::Name(name) => self.names.address(name),
            Source::Address(address) => Some(address),
            _ => None,
        }
    }

    /// All devices heard.
    pub fn infos(&self) -> Vec<SourceInfo> {
        let info = |device: &Device| {
            let (manufacturer, function) = match device.source {
                Source::Name(name) => (manufacturer(name), function(name)),
                _ => Default::default(),
            };
            let function = [function.as_str(), &device.installation];
            SourceInfo {
                source: device.source.to_string(),
                address: self.address(device.source),
                function: function.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": "),
                manufacturer,
                model: device.model.clone(),
                software: device.software.clone(),
                serial: device.serial.clone(),
            }
        };
        self.devices.iter().map(info).collect()
    }

    /// Bytes of memory that are held.
    pub fn held_bytes(&self) -> usize {
        let texts = |d: &Device| d.model.len() + d.software.len() + d.serial.len() + d.installation.len();
        let of_names = size_of::<[Option<u64>; crate::wire::can::names::ADDRESSES]>();
        of_names + self.devices.capacity() * size_of::<Device>() + self.devices.iter().map(texts).sum::<usize>()
    }
}

/// The texts of product information, in the order of canboat's fields.
fn texts(pgn: u32, payload: &[u8]) -> [String; 4] {
    let Some(info) = Database::embedded(Units::Si).first_pgn(pgn) else { return Default::default() };
    let mut fields = info.fields.iter().filter_map(TextField::compile);
    std::array::from_fn(|_| fields.next().map_or_else(String::new, |field| field.read(payload)))
}

/// Bits of a NAME (ISO 11783-5, 4.4.2; canboat's PGN 60928 has them in the same order).
const fn bits(name: u64, at: u32, count: u32) -> u64 {
    name >> at & ((1 << count) - 1)
}

/// Who made the device of this NAME; its number where canboat does not know it.
pub fn manufacturer(name: u64) -> String {
    let code = bits(name, 21, 11);
    let known = Database::embedded(Units::Si).lookup("MANUFACTURER_CODE").and_then(|names| names.get(code));
    known.map_or_else(|| format!("manufacturer {code}"), |known| known.name.to_owned())
}

/// What the device of this NAME does: its function, else its class.
pub fn function(name: u64) -> String {
    let (class, function) = (bits(name, 49, 7), bits(name, 40, 8));
    let db = Database::embedded(Units::Si);
    let known = db.indirect_lookup("DEVICE_FUNCTION", class, function);
    let known = known.or_else(|| db.lookup("DEVICE_CLASS")?.get(class).map(|class| class.name));
    known.map_or_else(|| format!("class {class}, function {function}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An Airmar sensor of bottom depth, unique number 244127.
    const AIRMAR: u64 = 0xC078_8200_10E3_B99F;

    #[test]
    fn a_device_keeps_what_it_told_when_it_claims_and_when_it_moves() {
        let mut devices = Devices::default();
        let mut product = [0xFF; 134];
        product[4..36].copy_from_slice(&[b"DST810", &[b' '; 26][..]].concat());
        product[36..68].fill(0);
        product[36..41].copy_from_slice(b"1.005");
        let source = devices.source(35);
        assert_eq!(source, Source::Address(35));
        devices.product(source, &product);
        devices.claim(35, AIRMAR);
        assert_eq!(devices.source(35), Source::Name(AIRMAR));
        devices.claim(40, AIRMAR);
        let expected = SourceInfo {
            source: "c078820010e3b99f".to_owned(),
            address: Some(40),
            function: "Bottom Depth".to_owned(),
            manufacturer: "Airmar".to_owned(),
            model: "DST810".to_owned(),
            software: "1.005".to_owned(),
            serial: String::new(),
        };
        assert_eq!(devices.infos(), [expected]);
    }

    #[test]
    fn what_the_installer_wrote_stands_behind_the_function() {
        let mut devices = Devices::default();
        devices.claim(35, AIRMAR);
        devices.configuration(Source::Name(AIRMAR), b"\x08\x01Engine\x06\x01Port\x02\x01");
        assert_eq!(devices.infos()[0].function, "Bottom Depth: Engine, Port");
        devices.configuration(Source::Name(AIRMAR), &[0x52]);
        assert_eq!(devices.infos()[0].function, "Bottom Depth");
    }

    #[test]
    fn churn_of_names_is_bounded() {
        let mut devices = Devices::default();
        for name in 0..10_000_u64 {
            devices.claim(u8::try_from(name % 200).unwrap(), name);
        }
        assert_eq!(devices.infos().len(), DEVICES_MAX);
        assert!(devices.source(199) == Source::Name(9_999) && devices.held_bytes() < 350 << 10);
    }
}
