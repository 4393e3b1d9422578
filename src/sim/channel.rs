//! Where an output speaks and what: `PROTOCOL[+FORMAT]=ADDRESS`, as the command line has it. Pure; opens nothing.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use super::format::Format;
use super::voice::Protocol;

/// Bits a second of a serial line where none are given: IEC 61162-1, 5.2, for sentences; for Modbus what the gateway
/// takes where none are given; an NGT-1 for all else.
const BAUD_SENTENCES: u32 = 4_800;
const BAUD_MODBUS: u32 = 9_600;
const BAUD_FRAMES: u32 = 115_200;

/// What may stand before the `=`.
const PROTOCOLS: [(&str, Protocol); 13] = [
    ("nmea0183", Protocol::Nmea0183),
    ("iec61162-450", Protocol::Iec61162450),
    ("nmea2000+ydwg", Protocol::Nmea2000(Format::Ydwg)),
    ("nmea2000+candump", Protocol::Nmea2000(Format::Candump)),
    ("nmea2000+actisense", Protocol::Nmea2000(Format::Actisense)),
    ("nmea2000", Protocol::Nmea2000(Format::Can)),
    ("j1939+ydwg", Protocol::J1939(Format::Ydwg)),
    ("j1939+candump", Protocol::J1939(Format::Candump)),
    ("j1939+actisense", Protocol::J1939(Format::Actisense)),
    ("j1939", Protocol::J1939(Format::Can)),
    ("can+candump", Protocol::Can(Format::Candump)),
    ("can", Protocol::Can(Format::Can)),
    ("modbus", Protocol::Modbus),
];

/// Where a stream goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A TCP server on this address; port 0 takes a free one.
    TcpListen(SocketAddr),
    /// Datagrams to this address.
    UdpTo(SocketAddr),
    /// Datagrams to this address, a multicast group say, from this address of ours.
    UdpVia(SocketAddr, IpAddr),
    /// A serial port, and its bits a second.
    Serial(PathBuf, u32),
    /// A new pseudo-terminal; with a path, a symbolic link to it.
    Pty(Option<PathBuf>),
    /// Standard output.
    Stdout,
    /// A CAN interface of the system.
    Can(String),
}

/// What is spoken where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// What.
    pub protocol: Protocol,
    /// Where.
    pub to: Output,
}

impl From<Output> for Channel {
    /// NMEA 0183, as most instruments with a socket have it.
    fn from(to: Output) -> Self {
        Self { protocol: Protocol::Nmea0183, to }
    }
}

/// A text names no output. Each says what would be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// No protocol of ours.
    #[error("`{text}` is no protocol; write one of {}", protocols())]
    Protocol {
        /// What was written.
        text: String,
    },
    /// No place of ours.
    #[error(
        "`{text}` is no place to speak; write tcp://ADDRESS:PORT to listen on, udp://ADDRESS:PORT to send to (with \
         @ADDRESS of ours behind it to choose the interface), serial:DEVICE or serial:DEVICE@BAUD, pty or pty:LINK, \
         can:INTERFACE, or stdout"
    )]
    Place {
        /// What was written.
        text: String,
    },
    /// Frames need an interface, and an interface takes nothing else.
    #[error(
        "`{channel}` does not fit: nmea2000, j1939 and can alone are frames for can:INTERFACE; with +candump, and the \
         first two with +ydwg or +actisense, they are bytes for every other place"
    )]
    Frames {
        /// What was written.
        channel: String,
    },
    /// Modbus is asked over TCP, or on a serial line.
    #[error(
        "`{channel}` does not fit: modbus answers on tcp://ADDRESS:PORT, or as RTU on serial:DEVICE, pty or pty:LINK"
    )]
    Answers {
        /// What was written.
        channel: String,
    },
    /// IEC 61162-450 is datagrams.
    #[error("`{channel}` does not fit: iec61162-450 is datagrams; write iec61162-450=udp://239.192.0.1:60001")]
    Datagrams {
        /// What was written.
        channel: String,
    },
}

fn protocols() -> String {
    PROTOCOLS.map(|(name, _)| name).join(", ")
}

impl Channel {
    /// Whether what is spoken fits the place.
    pub(crate) fn check(&self) -> Result<(), ChannelError> {
        let frames = matches!(
            self.protocol,
            Protocol::Nmea2000(Format::Can) | Protocol::J1939(Format::Can) | Protocol::Can(Format::Can)
        );
        let udp = matches!(self.to, Output::UdpTo(_) | Output::UdpVia(..));
        if frames != matches!(self.to, Output::Can(_)) {
            return Err(ChannelError::Frames { channel: self.to_string() });
        }
        let line = matches!(self.to, Output::TcpListen(_) | Output::Serial(..) | Output::Pty(_));
        if self.protocol == Protocol::Modbus && !line {
            return Err(ChannelError::Answers { channel: self.to_string() });
        }
        if self.protocol == Protocol::Iec61162450 && !udp {
            return Err(ChannelError::Datagrams { channel: self.to_string() });
        }
        Ok(())
    }
}

impl FromStr for Channel {
    type Err = ChannelError;

    fn from_str(text: &str) -> Result<Self, ChannelError> {
        // Without a protocol it is NMEA 0183: what stands before `=` has no colon.
        let (name, place) = match text.split_once('=') {
            Some((name, place)) if !name.contains(':') => (name, place),
            _ => ("nmea0183", text),
        };
        let known = PROTOCOLS.into_iter().find(|(known, _)| *known == name);
        let (_, protocol) = known.ok_or_else(|| ChannelError::Protocol { text: short(name) })?;
        let to = output(place, protocol).ok_or_else(|| ChannelError::Place { text: short(place) })?;
        let channel = Self { protocol, to };
        channel.check()?;
        Ok(channel)
    }
}

fn output(place: &str, protocol: Protocol) -> Option<Output> {
    let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
    if let Some(address) = place.strip_prefix("tcp://") {
        return address.parse().ok().map(Output::TcpListen);
    }
    if let Some(address) = place.strip_prefix("udp://") {
        return match address.split_once('@') {
            Some((to, via)) => Some(Output::UdpVia(to.parse().ok()?, via.parse().ok()?)),
            None => address.parse().ok().map(Output::UdpTo),
        };
    }
    if let Some(device) = place.strip_prefix("serial:") {
        let usual = match protocol {
            Protocol::Nmea0183 => BAUD_SENTENCES,
            Protocol::Modbus => BAUD_MODBUS,
            _ => BAUD_FRAMES,
        };
        let (device, baud) = match device.rsplit_once('@') {
            Some((device, baud)) => (device, baud.parse().ok()?),
            None => (device, usual),
        };
        return Some(Output::Serial(path(device)?, baud));
    }
    match place.split_once(':') {
        Some(("pty", link)) => path(link).map(|link| Output::Pty(Some(link))),
        Some(("can", interface)) if !interface.is_empty() => Some(Output::Can(interface.to_owned())),
        None if place == "pty" => Some(Output::Pty(None)),
        None if place == "stdout" => Some(Output::Stdout),
        _ => None,
    }
}

/// An error is never as long as what was wrong.
fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TcpListen(address) => write!(f, "tcp://{address}"),
            Self::UdpTo(address) => write!(f, "udp://{address}"),
            Self::UdpVia(address, via) => write!(f, "udp://{address}@{via}"),
            Self::Serial(device, baud) => write!(f, "serial:{}@{baud}", device.display()),
            Self::Pty(Some(link)) => write!(f, "pty:{}", link.display()),
            Self::Pty(None) => f.write_str("pty"),
            Self::Stdout => f.write_str("stdout"),
            Self::Can(interface) => write!(f, "can:{interface}"),
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = PROTOCOLS.iter().find(|(_, protocol)| *protocol == self.protocol).map_or("", |(name, _)| name);
        write!(f, "{name}={}", self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_read_and_print_the_same() {
        for text in [
            "nmea0183=tcp://127.0.0.1:10110",
            "nmea0183=serial:/dev/ttyUSB0@38400",
            "nmea0183=pty:run/gps",
            "iec61162-450=udp://239.192.0.1:60001@127.0.0.1",
            "nmea2000+ydwg=udp://127.0.0.1:1457",
            "nmea2000+actisense=pty",
            "nmea2000+candump=stdout",
            "nmea2000=can:vcan0",
            "j1939+ydwg=tcp://[::1]:0",
            "can+candump=tcp://127.0.0.1:0",
            "can=can:vcan1",
            "modbus=tcp://127.0.0.1:502",
            "modbus=pty:run/meter",
        ] {
            assert_eq!(text.parse::<Channel>().unwrap().to_string(), text);
        }
        assert_eq!("tcp://127.0.0.1:1".parse::<Channel>().unwrap().to_string(), "nmea0183=tcp://127.0.0.1:1");
        let usual = |text: &str| text.parse::<Channel>().unwrap().to_string();
        assert_eq!(usual("serial:/dev/ttyS0"), "nmea0183=serial:/dev/ttyS0@4800");
        assert_eq!(usual("modbus=serial:/dev/ttyS0"), "modbus=serial:/dev/ttyS0@9600");
        assert_eq!(usual("nmea2000+actisense=serial:/dev/ttyS0"), "nmea2000+actisense=serial:/dev/ttyS0@115200");
    }

    #[test]
    fn what_is_no_output_is_told_what_would_be_one() {
        let told = |text: &str| text.parse::<Channel>().unwrap_err().to_string();
        assert!(told("nmea3000=tcp://127.0.0.1:1").contains("nmea2000+ydwg"));
        for place in ["tcp://gateway:1", "udp://1", "pty:", "can:", "serial:", "serial:/dev/x@fast", "file:x", ""] {
            assert!(told(place).contains("tcp://ADDRESS:PORT"), "{place}");
        }
        assert!(told("nmea2000=tcp://127.0.0.1:1").contains("+ydwg"));
        assert!(told("nmea0183=can:can0").contains("frames for can:INTERFACE"));
        assert!(told("iec61162-450=tcp://127.0.0.1:1").contains("udp://239.192.0.1:60001"));
        assert!(told("modbus=udp://127.0.0.1:1").contains("RTU on serial"));
        assert!(told(&"x".repeat(10_000)).len() < 500);
    }
}
