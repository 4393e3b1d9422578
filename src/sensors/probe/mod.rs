//! `hawser probe`: what is on this wire, as a ready piece of configuration.
//!
//! It listens for everything that can be spoken there at once (`ear`) and says what made sense (`render`). Nothing
//! is written to a bus, with one exception that must be asked for: Modbus units speak only when spoken to, so they are
//! asked (`ask`), by the reading functions alone. The pure part holds the decisions; `listen` and `ask` do the
//! I/O. It refuses to touch a configuration: what it found is a text.

mod ask;
mod ear;
mod findings;
mod frames;
mod listen;
mod render;
mod sentences;
mod units;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::SensorsError;
use crate::clock::Clock;
use crate::config::{Address, Parity, Protocol};

/// Where the kernel's device manager names serial adapters by maker and serial number (udev, 60-serial.rules).
const SERIAL_BY_ID: &str = "/dev/serial/by-id";

/// The longest name of a bus that the configuration takes.
const BUS_NAME_BYTES_MAX: usize = 64;

/// What to look at, and how.
#[derive(Clone, Debug)]
pub struct ProbeOptions {
    /// Where.
    pub address: Address,
    /// How long to listen.
    pub duration: Duration,
    /// Listen for this alone; Modbus is asked for.
    pub protocol: Option<Protocol>,
    /// Bits a second of a serial line; 0: found by listening, or by asking.
    pub baud: u32,
    /// Parity of a serial line.
    pub parity: Parity,
    /// The interfaces that a multicast group is joined on, by name or IPv4 address.
    pub interfaces: Vec<String>,
    /// The Modbus units to ask.
    pub units: Vec<u8>,
    /// The bus's name in what is printed; empty: by its protocol.
    pub name: String,
}

impl ProbeOptions {
    /// Listens for everything at `address`.
    pub fn new(address: Address, duration: Duration) -> Self {
        let (interfaces, units, name) = Default::default();
        Self { address, duration, protocol: None, baud: 0, parity: Parity::None, interfaces, units, name }
    }

    /// Says what cannot be asked for; each text names the option and what would do.
    pub fn check(&self) -> Result<(), ProbeError> {
        let usage = |problem: &str| Err(ProbeError::Usage(problem.to_owned()));
        let is_serial = matches!(self.address, Address::Serial(_));
        match (self.protocol, &self.address) {
            (Some(Protocol::Modbus), Address::Udp(_) | Address::Can(_)) => {
                return usage("--protocol modbus is asked over tcp://host:port or serial:///dev/...");
            }
            (Some(Protocol::Iec61162_450), Address::Tcp { .. } | Address::Serial(_) | Address::Can(_)) => {
                return usage("--protocol iec61162-450 comes in datagrams: udp://239.192.0.1:60001");
            }
            (Some(Protocol::Nmea0183), Address::Can(_)) => {
                return usage("--protocol nmea0183 is not spoken in frames: tcp://, udp:// or serial://");
            }
            _ => {}
        }
        if self.baud != 0 && !is_serial {
            return usage("--baud is for a serial:// address only");
        }
        if self.parity != Parity::None && !is_serial {
            return usage("--parity is for a serial:// address only");
        }
        if !self.units.is_empty() && self.protocol != Some(Protocol::Modbus) {
            return usage("--units needs --protocol modbus");
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if self.name.len() > BUS_NAME_BYTES_MAX || !self.name.chars().all(is_name) {
            return usage("--name is 1 to 64 letters, digits, - or _");
        }
        let joins = matches!(&self.address, Address::Udp(address) if address.ip().is_multicast());
        if !self.interfaces.is_empty() && !joins {
            return usage("--interface is for a multicast group only, such as udp://239.192.0.1:60001");
        }
        Ok(())
    }
}

/// Takes a line about the progress.
pub type Tell<'a> = &'a mut (dyn FnMut(&str) + Send);

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probed {
    /// A piece of configuration with comments; empty when nothing came that could be told.
    pub config: String,
    /// Whether something was understood.
    pub understood: bool,
    /// What to check or to try next, for a person.
    pub hints: Vec<String>,
}

/// Why there is no finding at all.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It was asked for what cannot be.
    #[error("{0}")]
    Usage(String),
    /// The wire cannot be opened, or broke before anything came.
    #[error(transparent)]
    Wire(#[from] SensorsError),
}

impl ProbeError {
    /// Whether trying again may help.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Usage(_) => false,
            Self::Wire(error) => error.is_transient(),
        }
    }
}

/// Looks at a wire until the time is over or `stop` is cancelled, and tells the progress to `tell`.
pub async fn run(
    options: &ProbeOptions,
    clock: &Clock,
    stop: &CancellationToken,
    tell: Tell<'_>,
) -> Result<Probed, ProbeError> {
    options.check()?;
    let by_id = match &options.address {
        Address::Serial(path) => by_id(path, Path::new(SERIAL_BY_ID)),
        _ => None,
    };
    let place = render::Place { options, by_id };
    Ok(if options.protocol == Some(Protocol::Modbus) {
        place.asked(&ask::ask(options, clock, stop, tell).await?)
    } else {
        place.heard(&listen::listen(options, clock, stop, tell).await?)
    })
}

/// The path below `by_id` that leads to the same device as `path`; `None` when there is none, or `path` stays the same
/// by itself.
fn by_id(path: &Path, by_id: &Path) -> Option<PathBuf> {
    if path.starts_with(by_id) {
        return None;
    }
    let device = path.canonicalize().ok()?;
    let mut links: Vec<_> = std::fs::read_dir(by_id).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    links.sort();
    links.into_iter().find(|link| link.canonicalize().is_ok_and(|target| target == device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_adapters_own_name_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let (device, other, names) = (dir.path().join("ttyUSB0"), dir.path().join("ttyUSB1"), dir.path().join("by-id"));
        std::fs::create_dir(&names).unwrap();
        [&device, &other].iter().for_each(|path| std::fs::write(path, "").unwrap());
        std::os::unix::fs::symlink("../ttyUSB1", names.join("usb-ACME_1-port0")).unwrap();
        assert_eq!(by_id(&device, &names), None);
        std::os::unix::fs::symlink("../ttyUSB0", names.join("usb-ACME_2-port0")).unwrap();
        let named = names.join("usb-ACME_2-port0");
        assert_eq!(by_id(&device, &names), Some(named.clone()));
        assert_eq!(by_id(&named, &names), None, "it is one");
        assert_eq!(by_id(&device, &dir.path().join("none")), None);
    }

    #[test]
    fn what_cannot_be_is_told_with_what_would_do() {
        let refused = |address: &str, change: fn(&mut ProbeOptions)| {
            let mut options = ProbeOptions::new(address.parse().unwrap(), Duration::from_secs(1));
            change(&mut options);
            options.check().map_or_else(|error| error.to_string(), |()| String::new())
        };
        let modbus = |options: &mut ProbeOptions| options.protocol = Some(Protocol::Modbus);
        assert!(refused("can://can0", modbus).contains("tcp://host:port"));
        assert_eq!(refused("tcp://a:502", modbus), "");
        assert!(refused("tcp://a:1", |options| options.baud = 4_800).contains("serial://"));
        assert!(refused("tcp://a:1", |options| options.parity = Parity::Even).contains("serial://"));
        assert!(refused("tcp://a:1", |options| options.units = vec![1]).contains("--protocol modbus"));
        assert!(refused("tcp://a:1", |options| options.name = "a\"b".into()).contains("letters"));
        assert!(refused("udp://0.0.0.0:1", |options| options.interfaces.push("eth0".into())).contains("multicast"));
        assert_eq!(refused("udp://239.192.0.1:1", |options| options.interfaces.push("eth0".into())), "");
        assert!(refused("tcp://a:1", |options| options.protocol = Some(Protocol::Iec61162_450)).contains("udp://"));
    }
}
