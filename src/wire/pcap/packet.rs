//! What a captured packet holds: link layer, IP, UDP and TCP, or a CAN frame. Borrows the packet.

use crate::clock::Stamp;
use crate::wire::can::Frame;

/// Link types, as tcpdump.org's registry numbers them.
const LINK_ETHERNET: u32 = 1;
const LINK_RAW_IP: u32 = 101;
const LINK_LINUX_COOKED: u32 = 113;
const LINK_CAN: u32 = 227;
const LINK_LINUX_COOKED_2: u32 = 276;

/// EtherTypes (IEEE 802), and Linux's own for CAN in cooked captures.
const ETHER_IPV4: u16 = 0x0800;
const ETHER_IPV6: u16 = 0x86DD;
const ETHER_VLAN: [u16; 2] = [0x8100, 0x88A8];
const ETHER_CAN: u16 = 0x000C;

/// IP protocol numbers (IANA).
const TCP: u8 = 6;
const UDP: u8 = 17;
const IPV6_FRAGMENT: u8 = 44;
/// Extension headers that stand before the payload: hop-by-hop, routing, destination options.
const IPV6_EXTENSIONS: [u8; 3] = [0, 43, 60];

/// One end of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// IPv6, or IPv4 mapped into it (`::ffff:a.b.c.d`, RFC 4291, 2.5.5.2), in network order.
    pub address: [u8; 16],
    /// UDP or TCP port.
    pub port: u16,
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Contents<'a> {
    /// UDP.
    Datagram(Datagram<'a>),
    /// TCP.
    Segment(Segment<'a>),
    /// A classic CAN data frame.
    Frame(Frame),
    /// Nothing that is read here, and why.
    Other(&'static str),
}

/// A whole UDP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub from: Endpoint,
    /// To whom.
    pub to: Endpoint,
    /// What it carries.
    pub payload: &'a [u8],
}

/// A TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Who sent it.
    pub from: Endpoint,
    /// To whom.
    pub to: Endpoint,
    /// Number of its first byte.
    pub sequence: u32,
    /// It opens this direction; the first byte's number is one more.
    pub syn: bool,
    /// It closes this direction.
    pub fin: bool,
    /// It breaks the connection.
    pub rst: bool,
    /// What it carries.
    pub payload: &'a [u8],
}

/// The contents of a packet captured on a link of this type.
pub fn contents(link: u32, bytes: &[u8], at: Option<Stamp>) -> Contents<'_> {
    let read = match link {
        LINK_ETHERNET => bytes.split_at_checked(12).map(|(_, rest)| typed(rest, at)),
        LINK_RAW_IP => bytes.first().map(|first| ip(first >> 4, bytes)),
        LINK_LINUX_COOKED => bytes.split_at_checked(14).map(|(_, rest)| typed(rest, at)),
        // The protocol stands first, 18 bytes of interface and address behind it.
        LINK_LINUX_COOKED_2 => word(bytes, 0).zip(bytes.get(20..)).map(|(kind, rest)| of_kind(kind, rest, at)),
        LINK_CAN => Some(can(bytes, at)),
        _ => return Contents::Other("link_type_unknown"),
    };
    read.unwrap_or(Err("packet_truncated")).unwrap_or_else(Contents::Other)
}

type Read<'a> = Result<Contents<'a>, &'static str>;

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// An EtherType and what follows it, perhaps behind VLAN tags.
fn typed(mut bytes: &[u8], at: Option<Stamp>) -> Read<'_> {
    loop {
        let kind = word(bytes, 0).ok_or("packet_truncated")?;
        if !ETHER_VLAN.contains(&kind) {
            return of_kind(kind, &bytes[2..], at);
        }
        bytes = bytes.get(4..).ok_or("packet_truncated")?;
    }
}

fn of_kind(kind: u16, bytes: &[u8], at: Option<Stamp>) -> Read<'_> {
    match kind {
        ETHER_IPV4 => ip(4, bytes),
        ETHER_IPV6 => ip(6, bytes),
        ETHER_CAN => can(bytes, at),
        _ => Err("not_ip"),
    }
}

fn ip(version: u8, bytes: &[u8]) -> Read<'_> {
    match version {
        4 => ipv4(bytes),
        6 => ipv6(bytes),
        _ => Err("not_ip"),
    }
}

/// RFC 791, 3.1.
fn ipv4(bytes: &[u8]) -> Read<'_> {
    let head = bytes.get(..20).ok_or("packet_truncated")?;
    let (head_bytes, total) = (usize::from(head[0] & 0xF) * 4, usize::from(u16::from_be_bytes([head[2], head[3]])));
    // More fragments follow, or this is not the first.
    if u16::from_be_bytes([head[6], head[7]]) & 0x3FFF != 0 {
        return Err("ip_fragment");
    }
    // Cards that cut large segments themselves leave the length at zero; else what is behind it is Ethernet's padding.
    let end = if total == 0 { bytes.len() } else { total };
    let payload = bytes.get(head_bytes.max(20)..end).ok_or("packet_truncated")?;
    let mapped = |address: &[u8]| {
        let mut all = [0; 16];
        all[10..12].fill(0xFF);
        all[12..].copy_from_slice(address);
        all
    };
    transport(head[9], mapped(&head[12..16]), mapped(&head[16..20]), payload)
}

/// RFC 8200, 3 and 4.
fn ipv6(bytes: &[u8]) -> Read<'_> {
    let head: &[u8; 40] = bytes.first_chunk().ok_or("packet_truncated")?;
    let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
    let end = if length == 0 { bytes.len() } else { 40 + length };
    let mut payload = bytes.get(40..end).ok_or("packet_truncated")?;
    let mut next = head[6];
    while IPV6_EXTENSIONS.contains(&next) {
        let [after, eights, ..] = *payload else { return Err("packet_truncated") };
        next = after;
        payload = payload.get((usize::from(eights) + 1) * 8..).ok_or("packet_truncated")?;
    }
    let (mut from, mut to) = ([0; 16], [0; 16]);
    from.copy_from_slice(&head[8..24]);
    to.copy_from_slice(&head[24..40]);
    transport(next, from, to, payload)
}

fn transport(protocol: u8, from: [u8; 16], to: [u8; 16], bytes: &[u8]) -> Read<'_> {
    if protocol == IPV6_FRAGMENT {
        return Err("ip_fragment");
    }
    if !matches!(protocol, TCP | UDP) {
        return Err("not_udp_or_tcp");
    }
    let read = || {
        let from = Endpoint { address: from, port: word(bytes, 0)? };
        let to = Endpoint { address: to, port: word(bytes, 2)? };
        if protocol == UDP {
            let payload = bytes.get(8..usize::from(word(bytes, 4)?))?;
            return Some(Contents::Datagram(Datagram { from, to, payload }));
        }
        let (sequence, flags) = (long(bytes, 4)?, *bytes.get(13)?);
        let payload = bytes.get(usize::from(bytes[12] >> 4).max(5) * 4..)?;
        let flag = |bit: u8| flags & bit != 0;
        Some(Contents::Segment(Segment { from, to, sequence, syn: flag(2), fin: flag(1), rst: flag(4), payload }))
    };
    read().ok_or("packet_truncated")
}

/// A frame as Linux hands it out, its identifier and flags in network order (tcpdump.org, LINKTYPE_CAN_SOCKETCAN).
fn can(bytes: &[u8], at: Option<Stamp>) -> Read<'static> {
    const EXTENDED: u32 = 1 << 31;
    const REMOTE: u32 = 1 << 30;
    const ERROR: u32 = 1 << 29;
    let id = long(bytes, 0).ok_or("packet_truncated")?;
    let length = usize::from(*bytes.get(4).ok_or("packet_truncated")?);
    if id & ERROR != 0 {
        return Err("can_error_frame");
    }
    if id & REMOTE != 0 {
        return Err("can_remote_frame");
    }
    if length > 8 {
        return Err("can_fd_frame");
    }
    let data = bytes.get(8..8 + length).ok_or("packet_truncated")?;
    let frame = if id & EXTENDED != 0 { Frame::extended(id & !EXTENDED, data) } else { Frame::standard(id, data) };
    frame.map(|frame| Contents::Frame(Frame { at, ..frame })).ok_or("can_identifier_too_large")
}
