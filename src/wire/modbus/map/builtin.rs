//! The maps that come with the program, by name.

use super::{DeviceMap, MapError};

/// Name and text of each file under `configs/devices/`.
pub const BUILTIN: &[(&str, &str)] = &[
    ("eastron-sdm630", include_str!("../../../../configs/devices/eastron-sdm630.toml")),
    ("victron-gx-battery", include_str!("../../../../configs/devices/victron-gx-battery.toml")),
    ("victron-gx-system", include_str!("../../../../configs/devices/victron-gx-system.toml")),
];

/// The map called `name`; `None` when none is built in. A test reads every one, so the error is a bug of this program.
pub fn builtin(name: &str) -> Option<Result<DeviceMap, MapError>> {
    let (_, text) = BUILTIN.iter().find(|(known, _)| *known == name)?;
    Some(DeviceMap::parse(&format!("configs/devices/{name}.toml"), text))
}
