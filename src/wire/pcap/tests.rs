//! Captures written by hand from the formats' own descriptions, and what no bytes may do.

use proptest::prelude::*;

use super::*;
use crate::wire::can::Frame;

const HOST: [u8; 4] = [192, 168, 0, 1];
const PEER: [u8; 4] = [239, 192, 0, 1];

/// A pcap file of packets at 100.5 s, 101.5 s, ...
fn pcap(link: u32, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = [0xA1B2_C3D4_u32, 0x0002_0004, 0, 0, 65_535, link].map(u32::to_be_bytes).concat();
    for (at, packet) in (100_u32..).zip(packets) {
        let length = packet.len() as u32;
        // The wire's length is longer than the snap length allows, as in a file that was cut.
        file.extend([at, 500_000, length, 90_000].map(u32::to_be_bytes).concat());
        file.extend(packet);
    }
    file
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = [body, &vec![0; (4 - body.len() % 4) % 4]].concat();
    let length = (padded.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes()[..], &length, &padded, &length].concat()
}

/// The same as pcapng: little endian, nanoseconds, from 10 s on.
fn pcapng(link: u16, packet: &[u8], ticks: u64) -> Vec<u8> {
    let section = [&0x1A2B_3C4D_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xFF; 8]].concat();
    let options = [&[9, 0, 1, 0, 9, 0, 0, 0, 14, 0, 8, 0][..], &10_u64.to_le_bytes(), &[0; 4]].concat();
    let interface = [&link.to_le_bytes()[..], &[0, 0], &[0; 4], &options].concat();
    let ticks = [(ticks >> 32) as u32, ticks as u32];
    let length = packet.len() as u32;
    let head = [0, ticks[0], ticks[1], length, length].map(u32::to_le_bytes).concat();
    [block(0x0A0D_0D0A, &section), block(1, &interface), block(6, &[&head[..], packet].concat())].concat()
}

fn ethernet(vlan: bool, ip: &[u8]) -> Vec<u8> {
    let tag: &[u8] = if vlan { &[0x81, 0, 0, 7] } else { &[] };
    [&[0; 12][..], tag, &[8, 0], ip].concat()
}

fn ipv4(protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let total = (payload.len() as u16 + 20).to_be_bytes();
    let [high, low] = fragment.to_be_bytes();
    let head = [0x45, 0, total[0], total[1], 0, 1, high, low, 64, protocol, 0, 0];
    [&head[..], &HOST, &PEER, payload].concat()
}

fn ipv6(payload: &[u8]) -> Vec<u8> {
    // One destination options header of 8 bytes before the datagram.
    let length = (payload.len() as u16 + 8).to_be_bytes();
    let head = [0x60, 0, 0, 0, length[0], length[1], 60, 64];
    [&head[..], &[1; 16], &[2; 16], &[17, 0, 1, 4, 0, 0, 0, 0], payload].concat()
}

fn udp(payload: &[u8]) -> Vec<u8> {
    let [high, low] = (payload.len() as u16 + 8).to_be_bytes();
    [&[0x04, 0xD2, 0xEA, 0x64, high, low, 0, 0][..], payload].concat()
}

fn tcp(sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let head = [&[0x80, 0, 0x01, 0xF6][..], &sequence.to_be_bytes(), &[0; 4], &[0x60, flags, 0, 0, 0, 0, 0, 0]];
    // A header of 24 bytes: four of options.
    [&head.concat()[..], &[1; 4], payload].concat()
}

fn read(file: &[u8]) -> Vec<String> {
    let mut capture = Capture::new(file).unwrap();
    let mut told = Vec::new();
    while let Some(packet) = capture.next_packet() {
        let Packet { at, contents } = packet.unwrap();
        let at = at.map_or("-".to_owned(), |at| at.0.to_string());
        told.push(match contents {
            Contents::Datagram(d) => format!("{at} {}>{} {}", d.from.port, d.to.port, d.payload.escape_ascii()),
            Contents::Segment(s) => format!("{at} {} {}", s.sequence, s.payload.escape_ascii()),
            Contents::Frame(f) => format!("{:?} {:x} {} {:?}", f.at.map(|at| at.0), f.id, f.extended, f.bytes()),
            Contents::Other(reason) => reason.to_owned(),
        });
    }
    told
}

#[test]
fn datagrams_are_found_behind_every_link() {
    let ip = ipv4(17, 0, &udp(b"$A"));
    let plain = ethernet(false, &[&ip[..], &[0; 18]].concat());
    assert_eq!(
        read(&pcap(1, &[plain, ethernet(true, &ip)])),
        ["100500000 1234>60004 $A", "101500000 1234>60004 $A"],
        "Ethernet's padding is cut off, a VLAN's tag skipped"
    );
    assert_eq!(read(&pcap(101, std::slice::from_ref(&ip))), ["100500000 1234>60004 $A"]);
    assert_eq!(read(&pcap(113, &[[&[0; 14][..], &[8, 0], &ip].concat()])), ["100500000 1234>60004 $A"]);
    assert_eq!(read(&pcap(276, &[[&[8, 0][..], &[0; 18], &ip].concat()])), ["100500000 1234>60004 $A"]);
    assert_eq!(read(&pcap(101, &[ipv6(&udp(b"$A"))])), ["100500000 1234>60004 $A"]);
    // 1.5 s in nanoseconds, and ten more by the interface.
    assert_eq!(read(&pcapng(101, &ip, 1_500_000_000)), ["11500000 1234>60004 $A"]);
}

#[test]
fn an_address_is_told_in_one_form() {
    let file = pcap(101, &[ipv4(17, 0, &udp(b""))]);
    let mut capture = Capture::new(&file[..]).unwrap();
    let Some(Ok(Packet { contents: Contents::Datagram(datagram), .. })) = capture.next_packet() else {
        panic!("a datagram")
    };
    assert_eq!(datagram.to.address, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 239, 192, 0, 1]);
}

#[test]
fn what_is_not_read_says_why() {
    let cut = ethernet(false, &ipv4(17, 0, &udp(b"$A"))[..29]);
    let others = [
        ethernet(false, &ipv4(17, 0x2000, &udp(b"$A"))),
        ethernet(false, &ipv4(17, 0x0010, &udp(b"$A"))),
        ethernet(false, &ipv4(1, 0, b"ping")),
        [&[0; 12][..], &[8, 6], b"arp"].concat(),
        cut,
        vec![1],
    ];
    let why = ["ip_fragment", "ip_fragment", "not_udp_or_tcp", "not_ip", "packet_truncated", "packet_truncated"];
    assert_eq!(read(&pcap(1, &others)), why);
    assert_eq!(read(&pcap(9_999, &[vec![0; 40]])), ["link_type_unknown"]);
}

#[test]
fn can_frames_carry_their_time() {
    let frame = |id: u32, length: u8| [&id.to_be_bytes()[..], &[length, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]].concat();
    let packets = [
        frame(0x89F1_1301, 3),
        frame(0x123, 8),
        frame(0x4000_0123, 0),
        frame(0x2000_0004, 8),
        frame(0x123, 9),
        frame(0x800, 1),
    ];
    let read_back = read(&pcap(227, &packets));
    assert_eq!(read_back[0], "Some(100500000) 9f11301 true [1, 2, 3]");
    assert_eq!(read_back[1], "Some(101500000) 123 false [1, 2, 3, 4, 5, 6, 7, 8]");
    let why = ["can_remote_frame", "can_error_frame", "can_fd_frame", "can_identifier_too_large"];
    assert_eq!(read_back[2..], why);
    let cooked = [&[0; 14][..], &[0, 0x0C], &frame(0x123, 2)].concat();
    assert_eq!(read(&pcap(113, &[cooked])), ["Some(100500000) 123 false [1, 2]"]);
    assert_eq!(Frame::standard(0x123, &[1, 2]).unwrap().at, None);
}

#[test]
fn a_damaged_file_gives_what_came_before() {
    let mut file = pcap(101, &[ipv4(17, 0, &udp(b"$A"))]);
    file.extend([1, 2, 3]);
    let mut capture = Capture::new(&file[..]).unwrap();
    assert!(matches!(capture.next_packet(), Some(Ok(_))));
    assert!(matches!(capture.next_packet(), Some(Err(CaptureError::Damaged { packet: 1, .. }))));
    assert!(capture.next_packet().is_none());
    assert!(matches!(Capture::new(&b"not a capture"[..]), Err(CaptureError::Damaged { packet: 0, .. })));
    assert!(matches!(Capture::new(&b""[..]), Err(CaptureError::Damaged { .. })));
}

/// Feeds segments of (sequence, flags, payload) and tells what comes out.
fn streamed(segments: &[(u32, u8, &[u8])]) -> Vec<String> {
    let packets: Vec<Vec<u8>> = segments.iter().map(|(seq, flags, p)| ipv4(6, 0, &tcp(*seq, *flags, p))).collect();
    let file = pcap(101, &packets);
    let (mut capture, mut streams, mut told) = (Capture::new(&file[..]).unwrap(), TcpStreams::default(), Vec::new());
    let mut tell = |_: Flow, piece: Piece<'_>| {
        told.push(match piece {
            Piece::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Piece::Lost(bytes) => format!("lost {bytes}"),
            Piece::End => "end".to_owned(),
        });
    };
    while let Some(Ok(packet)) = capture.next_packet() {
        let Contents::Segment(segment) = packet.contents else { panic!("a segment") };
        streams.take(&segment, &mut tell);
    }
    streams.finish(&mut tell);
    told
}

const SYN: u8 = 2;
const FIN: u8 = 1;
const RST: u8 = 4;

#[test]
fn segments_come_out_in_order_and_once() {
    let ordered = streamed(&[(9, SYN, b""), (13, 0, b"def"), (10, 0, b"abc"), (10, 0, b"abc"), (12, FIN, b"cdefg")]);
    assert_eq!(ordered, ["abc", "def", "g", "end"]);
    let around = streamed(&[(u32::MAX - 1, 0, b"abc"), (2, 0, b"d!"), (1, 0, b"?"), (4, RST, b"")]);
    assert_eq!(around, ["abc", "?", "d!", "end"], "numbers wrap");
}

#[test]
fn what_the_capture_missed_is_told() {
    assert_eq!(streamed(&[(1, 0, b"ab"), (5, 0, b"ef"), (9, 0, b"i")]), ["ab", "lost 2", "ef", "lost 2", "i", "end"]);
    let tiny: Vec<(u32, u8, &[u8])> = (0..70).map(|n| (10 + n, 0, &b"x"[..])).collect();
    let told = streamed(&[&[(1, 0, &b"ab"[..])][..], &tiny].concat());
    assert_eq!(told[..3], ["ab", "lost 7", "x"]);
    assert_eq!(told.len(), 2 + 70 + 1);
}

proptest! {
    #[test]
    fn any_bytes_return(start in 0usize..3, bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let starts = [Vec::new(), pcap(1, &[]), pcapng(1, &[1, 2, 3], 5)];
        let file = [&starts[start][..], &bytes].concat();
        if let Ok(mut capture) = Capture::new(&file[..]) {
            while capture.next_packet().is_some() {}
        }
    }

    #[test]
    fn any_packet_returns(link in prop_oneof![Just(1u32), Just(101), Just(113), Just(227), Just(276)],
                          kind in prop_oneof![Just(vec![]), Just(ethernet(true, &ipv4(6, 0, &tcp(1, 0, b"x"))))],
                          bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        packet::contents(link, &[&kind[..], &bytes].concat(), None);
        packet::contents(link, &bytes, None);
    }

    #[test]
    fn what_a_direction_holds_is_bounded(
        segments in proptest::collection::vec((any::<u32>(), 0u8..8, 0usize..3_000), 0..300),
    ) {
        let mut streams = TcpStreams::default();
        let bytes = vec![7; 3_000];
        let end = Endpoint { address: [0; 16], port: 502 };
        for (sequence, flags, length) in segments {
            let payload = &bytes[..length];
            let [syn, fin, rst] = [1, 2, 4].map(|bit| flags & bit == bit && sequence % 50 == 0);
            streams.take(&Segment { from: end, to: end, sequence, syn, fin, rst, payload }, |_, _| {});
        }
        prop_assert!(streams.held_bytes() <= HELD_BYTES_MAX);
    }
}
