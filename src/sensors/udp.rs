//! A bus of datagrams: whoever sends to our port, or to a multicast group that is joined. A datagram is a unit: its
//! last line ends with it, and the next datagram may come from another sender.
//!
//! Datagrams cannot be held back: what the lane cannot take is refused and counted as `bus_full`. What the kernel drops
//! because this task was not run in time is counted by the kernel only (`/proc/net/udp`, column drops). It never sends.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::reading::Reading;
use crate::wire::StreamDecoder;

use super::context::BusContext;
use super::intake::Intake;
use super::stats::BusState;
use super::stream::READ_BYTES_MAX;
use super::{SensorsError, TELL_SOURCES_INTERVAL_MS};

/// The largest datagram: 65,535 bytes less the headers, rounded up.
pub(super) const DATAGRAM_BYTES_MAX: usize = 64 << 10;

/// Runs until shutdown. `interfaces` are those that a multicast group is joined on, by name or IPv4 address.
pub(crate) async fn run(
    context: BusContext,
    address: SocketAddr,
    interfaces: Vec<String>,
    mut intake: Intake<dyn StreamDecoder>,
) {
    let mut attempts = context.attempts();
    loop {
        attempts.begin();
        let Err(lost) = session(&context, address, &interfaces, &mut intake).await else { break };
        if !attempts.wait_after(&lost).await {
            break;
        }
    }
    context.stats.set_state(BusState::Closed);
}

/// One binding of the port, until it breaks (the interface went) or the gateway stops.
async fn session(
    context: &BusContext,
    address: SocketAddr,
    interfaces: &[String],
    intake: &mut Intake<dyn StreamDecoder>,
) -> Result<(), SensorsError> {
    let socket = listen(address, interfaces).await?;
    context.opened(Some(socket.local_addr().map_err(|source| SensorsError::CannotListen { address, source })?));
    let mut readings = Vec::new();
    let end = match group_of(address) {
        None => read(context, &socket, Duration::MAX, || Ok(()), intake, &mut readings).await,
        // A group is left without a word when its interface goes, and not joined again when it returns; a switch
        // forgets its members where nobody asks for them (IGMP). Who sends to a bound port needs neither.
        Some(group) => {
            let again = || join(&SockRef::from(&socket), group, interfaces);
            read(context, &socket, context.tuning.read_idle_max, again, intake, &mut readings).await
        }
    };
    context.hand_over_now(&mut readings);
    end
}

/// Reads until the socket breaks; calls `silent` each time that nothing came for `idle_max`. The socket stays: what
/// came while there is none would be lost uncounted.
async fn read(
    context: &BusContext,
    socket: &UdpSocket,
    idle_max: Duration,
    silent: impl Fn() -> Result<(), SensorsError>,
    intake: &mut Intake<dyn StreamDecoder>,
    readings: &mut Vec<Reading>,
) -> Result<(), SensorsError> {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let (mut unyielded, mut told_ms) = (0, 0);
    loop {
        let received = match socket.try_recv(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                // All that waited was taken.
                context.hand_over_now(readings);
                if !context.rest().await {
                    return Ok(());
                }
                let received = tokio::select! {
                    biased;
                    () = context.shutdown.cancelled() => return Ok(()),
                    received = timeout(idle_max, socket.recv(&mut buffer)) => received,
                };
                match received {
                    Ok(received) => received,
                    Err(_) => {
                        silent()?;
                        continue;
                    }
                }
            }
            received => received,
        };
        let count = received.map_err(|source| SensorsError::Broken { source })?;
        let now = context.clock.now();
        intake.take(&buffer[..count], now, readings);
        intake.end_of_datagram(now, readings);
        if now.mono_ms.saturating_sub(told_ms) >= TELL_SOURCES_INTERVAL_MS {
            told_ms = now.mono_ms;
            context.know(intake.sources());
        }
        context.stats.buffers(DATAGRAM_BYTES_MAX + intake.held_bytes() + readings.capacity() * size_of::<Reading>());
        // A flood is handed over, and gives way to the other buses after each full buffer, as in `stream`.
        unyielded += count;
        if unyielded >= READ_BYTES_MAX {
            unyielded = 0;
            context.hand_over_now(readings);
            tokio::task::yield_now().await;
        }
    }
}

/// Binds the port, or joins the group on each interface.
pub(super) async fn listen(address: SocketAddr, interfaces: &[String]) -> Result<UdpSocket, SensorsError> {
    let cannot = |source| SensorsError::CannotListen { address, source };
    let Some(group) = group_of(address) else { return UdpSocket::bind(address).await.map_err(cannot) };
    let socket = bind_group(address).map_err(cannot)?;
    join(&socket, group, interfaces)?;
    UdpSocket::from_std(socket.into()).map_err(cannot)
}

/// The group to join, if the address is that of one.
fn group_of(address: SocketAddr) -> Option<Ipv4Addr> {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_multicast() => Some(ip),
        _ => None,
    }
}

/// A socket bound to the group's own address, so that nothing else on the port comes in; the port is shared, since
/// other programs may listen to the same group (IEC 61162-450, 6.2.2).
fn bind_group(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Else what others of this machine joined on other interfaces comes in too.
    socket.set_multicast_all_v4(false)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Joins the group on each interface; anew where it is joined already, which tells the switches once more.
fn join(socket: &Socket, group: Ipv4Addr, interfaces: &[String]) -> Result<(), SensorsError> {
    let of_system = [Ipv4Addr::UNSPECIFIED.to_string()];
    for name in if interfaces.is_empty() { &of_system } else { interfaces } {
        let cannot = |source| SensorsError::CannotJoin { group, interface: name.clone(), source };
        let interface = interface(name).map_err(cannot)?;
        // An error: it was not joined.
        let _ = socket.leave_multicast_v4_n(&group, &interface);
        socket.join_multicast_v4_n(&group, &interface).map_err(cannot)?;
    }
    Ok(())
}

/// An interface by its address, or by its name as the kernel knows it now.
fn interface(name: &str) -> std::io::Result<InterfaceIndexOrAddress> {
    if let Ok(address) = name.parse() {
        return Ok(InterfaceIndexOrAddress::Address(address));
    }
    let text = std::fs::read_to_string(Path::new("/sys/class/net").join(name).join("ifindex"))?;
    let index = text.trim().parse().map_err(std::io::Error::other)?;
    Ok(InterfaceIndexOrAddress::Index(index))
}
