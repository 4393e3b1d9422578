//! Where a device's map comes from: built in, or a file of the operator's.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::config::{ConfigError, Origin};
use crate::wire::modbus::map::{BUILTIN, builtin};
use crate::wire::modbus::{DeviceMap, MapError};

/// The largest map file: 512 values of 1 KiB, which is three times what a value takes with comments.
pub const MAP_FILE_BYTES_MAX: u64 = 512 << 10;

/// The map called `name`: one that is built in, or else the file of that path.
pub fn load_map(name: &str) -> Result<DeviceMap, MapError> {
    match builtin(name) {
        Some(map) => map,
        None => DeviceMap::parse(name, &read(Path::new(name))?),
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let file = path.display().to_string();
    let wrong = |problem: String| {
        let known: Vec<_> = BUILTIN.iter().map(|(name, _)| *name).collect();
        let accepted = format!("a file of at most {MAP_FILE_BYTES_MAX} bytes, or one of {}", known.join(", "));
        ConfigError::new(Origin::File { file: file.as_str().into(), line: 0 }, "", problem, accepted)
    };
    let mut text = String::new();
    let read = File::open(path).and_then(|opened| opened.take(MAP_FILE_BYTES_MAX + 1).read_to_string(&mut text));
    match read {
        Err(error) => Err(wrong(format!("cannot be read: {error}"))),
        Ok(_) if text.len() as u64 > MAP_FILE_BYTES_MAX => Err(wrong("too large".into())),
        Ok(_) => Ok(text),
    }
}
