//! Listens to a wire for a while, and finds the rate of a serial line before. Writes nothing.

use std::path::Path;
use std::time::Duration;

use serial2_tokio::SerialPort;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpStream, UdpSocket};
use tokio_util::sync::CancellationToken;

use super::ear::{Ear, Wire};
use super::{ProbeOptions, Tell};
use crate::clock::Clock;
use crate::config::{Address, Protocol};
use crate::sensors::can_port::{CanPort, Heard as CanHeard};
use crate::sensors::rate::{Judgement, Listener as _, RATES};
use crate::sensors::udp::DATAGRAM_BYTES_MAX;
use crate::sensors::{CONNECT_TIMEOUT, SensorsError, serial, socketcan as can, tcp, udp};

/// Between two words about the progress.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Rates of a line behind which a CAN gateway stands: Actisense and Yacht Devices deliver them with the first.
const GATEWAY_RATES: [u32; 4] = [115_200, 230_400, 460_800, 38_400];

/// What was heard.
#[derive(Debug)]
pub(super) struct Heard {
    pub ear: Ear,
    /// How long was listened, the search for the rate not counted.
    pub elapsed_ms: u64,
    /// The rate of a serial line; 0: none was right, or it is no serial line.
    pub baud: u32,
    /// The far end closed before the time was over.
    pub ended: bool,
}

enum Port {
    Tcp(TcpStream),
    Udp(UdpSocket),
    Serial(SerialPort),
    Can(CanPort),
}

/// Listens until the time is over, the far end closes, or `stop` is cancelled.
pub(super) async fn listen(
    options: &ProbeOptions,
    clock: &Clock,
    stop: &CancellationToken,
    mut tell: Tell<'_>,
) -> Result<Heard, SensorsError> {
    let new = |wire| Ear::new(wire, options.protocol);
    let (mut port, mut ear, baud) = match &options.address {
        Address::Tcp { host, port } => {
            (Port::Tcp(tcp::connect(CONNECT_TIMEOUT, host, *port).await?), new(Wire::Stream), 0)
        }
        Address::Udp(address) => {
            (Port::Udp(udp::listen(*address, &options.interfaces).await?), new(Wire::Datagrams), 0)
        }
        Address::Can(interface) => (Port::Can(CanPort::open(interface)?), new(Wire::Frames), 0),
        Address::Serial(path) => {
            let found = tokio::select! {
                biased;
                () = stop.cancelled() => None,
                found = find_rate(options, path, clock, &mut tell) => found?,
            };
            match found {
                Some((port, ear, baud)) => (Port::Serial(port), ear, baud),
                None => return Ok(Heard { ear: new(Wire::Stream), elapsed_ms: 0, baud: 0, ended: false }),
            }
        }
    };
    let began_ms = clock.now().mono_ms;
    let ended = hear(options, &mut port, &mut ear, clock, stop, tell).await?;
    Ok(Heard { ear, elapsed_ms: clock.now().mono_ms.saturating_sub(began_ms), baud, ended })
}

/// Reads until the time is over. `true` when the far end closed before.
async fn hear(
    options: &ProbeOptions,
    port: &mut Port,
    ear: &mut Ear,
    clock: &Clock,
    stop: &CancellationToken,
    tell: Tell<'_>,
) -> Result<bool, SensorsError> {
    let over = tokio::time::sleep(options.duration);
    tokio::pin!(over);
    let mut tick = tokio::time::interval(TELL_EVERY);
    tick.reset();
    let (mut buffer, mut seconds) = (vec![0; DATAGRAM_BYTES_MAX], 0);
    loop {
        let read = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(false),
            () = &mut over => return Ok(false),
            _ = tick.tick() => {
                seconds += TELL_EVERY.as_secs();
                let told = ear.heard();
                let of = options.duration.as_secs();
                tell(&format!("{seconds} s of {of} s: {} bytes, {} sound messages", told.bytes, told.messages));
                continue;
            }
            read = port.read(&mut buffer, ear, clock) => read,
        };
        match read {
            Ok(0) => return Ok(true),
            Ok(_) => {}
            // A pulled plug ends the listening; what was heard before it counts.
            Err(source) if ear.bytes == 0 => return Err(broken(&options.address, source)),
            Err(_) => return Ok(true),
        }
    }
}

/// Why nothing came: an interface may have gone down meanwhile.
fn broken(address: &Address, source: std::io::Error) -> SensorsError {
    match address {
        Address::Can(interface) => can::lost(interface, source),
        _ => SensorsError::Broken { source },
    }
}

impl Port {
    /// Reads what comes next into `ear`; 0 bytes: the far end closed.
    async fn read(&mut self, buffer: &mut [u8], ear: &mut Ear, clock: &Clock) -> std::io::Result<usize> {
        let (count, is_datagram) = match self {
            Self::Tcp(stream) => (stream.read(buffer).await?, false),
            Self::Serial(port) => (port.read(buffer).await?, false),
            Self::Udp(socket) => (socket.recv(buffer).await?, true),
            Self::Can(port) => {
                take_frame(port.read().await?, ear, clock);
                return Ok(1);
            }
        };
        let mono_ms = clock.now().mono_ms;
        ear.take(&buffer[..count], mono_ms);
        if is_datagram {
            ear.end_of_datagram(mono_ms);
            return Ok(count.max(1));
        }
        Ok(count)
    }
}

fn take_frame(heard: CanHeard, ear: &mut Ear, clock: &Clock) {
    let mono_ms = clock.now().mono_ms;
    match heard {
        CanHeard::Data(frame) => {
            ear.bytes += frame.bytes().len() as u64;
            ear.frames(|bus| bus.frame(&frame, mono_ms));
        }
        CanHeard::Remote => ear.frames(|bus| bus.no_data(can::REASON_REMOTE)),
        CanHeard::Error(bits) => ear.frames(|bus| bus.no_data(can::error(bits).0)),
    }
}

/// Listens at each rate for everything that can be spoken. The rate that gave the most sense is taken where none was
/// proved: an AIS receiver out at sea may speak once in a minute. `None`: nothing made sense at any.
async fn find_rate(
    options: &ProbeOptions,
    path: &Path,
    clock: &Clock,
    tell: &mut Tell<'_>,
) -> Result<Option<(SerialPort, Ear, u32)>, SensorsError> {
    if options.baud != 0 {
        return Ok(Some((
            serial::open(path, options.baud, options.parity)?,
            Ear::new(Wire::Stream, options.protocol),
            options.baud,
        )));
    }
    let rates: &[u32] = if options.protocol.is_some_and(Protocol::is_can) { &GATEWAY_RATES } else { &RATES };
    let mut hint = None;
    for rate in rates {
        let port = serial::open(path, *rate, options.parity)?;
        let mut ear = Ear::new(Wire::Stream, options.protocol);
        let judged = serial::listen(clock, &port, &mut ear).await?;
        let heard = ear.heard();
        tell(&match (judged, heard.bytes) {
            (Judgement::Right, _) => format!("{rate} baud: {} sound messages, this is it", heard.messages),
            (_, 0) => format!("{rate} baud: silence"),
            (_, bytes) => format!("{rate} baud: {bytes} bytes, {} sound messages", heard.messages),
        });
        if judged == Judgement::Right {
            return Ok(Some((port, ear, *rate)));
        }
        if hint.is_none() && ear.understood().is_some() {
            hint = Some((ear, *rate));
        }
    }
    match hint {
        Some((ear, rate)) => Ok(Some((serial::open(path, rate, options.parity)?, ear, rate))),
        None => Ok(None),
    }
}
