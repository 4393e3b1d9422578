//! The transport protocol of SAE J1939-21, 5.10 (ISO 11783-3 and NMEA 2000 use the same): messages of 9 to 1,785 bytes
//! in packets of 7.
//!
//! It listens and answers nothing: a broadcast (BAM) is followed as it comes, a connection (RTS/CTS) as its two ends
//! settle it. Packets are taken in their order alone. In a connection the receiver asks again for what it missed, so a
//! gap there ends nothing; in a broadcast nobody asks, and a gap ends it. Extended transport (ETP, more than 1,785
//! bytes) is refused: no PGN that makes readings is that long.

use super::frame::{Frame, Identifier, Message, PAYLOAD_BYTES_MAX};
use crate::clock::Stamp;
use crate::wire::Sink;

/// Connection management (TP.CM), J1939-21, 5.10.
const PGN_CONNECTION: u32 = 60_416;

/// Data transfer (TP.DT), J1939-21, 5.10.
const PGN_DATA: u32 = 60_160;

/// Bytes of data in a packet, behind its number.
const PACKET_BYTES: usize = 7;

/// How long the packets of a broadcast may lie apart: T1 of J1939-21, 5.10. They come 50 to 200 ms apart.
const BROADCAST_GAP_MS_MAX: u64 = 750;

/// How long a connection may be silent: T2 and T3 of J1939-21, 5.10, the longest that its ends wait for each other.
const CONNECTION_GAP_MS_MAX: u64 = 1_250;

/// Messages that are put together at once. A device sends one broadcast and few connections at a time; a bus has about
/// 30 devices, a hostile one 254. 64 of [`PAYLOAD_BYTES_MAX`] are 112 KiB. One more is refused: those under way end
/// within `CONNECTION_GAP_MS_MAX`.
pub const SESSIONS_MAX: usize = 64;

/// Reason: a packet is missing, or the sender began anew. The message is lost.
pub const REASON_INCOMPLETE: &str = "transport_incomplete";
/// Reason: the next packet did not come in time. The message is lost.
pub const REASON_TIMEOUT: &str = "transport_timeout";
/// Reason: one of the two ends gave up. The message is lost.
pub const REASON_ABORTED: &str = "transport_aborted";
/// Reason: a packet that came before, or out of its order in a connection. The packet alone is dropped.
pub const REASON_OUT_OF_ORDER: &str = "transport_out_of_order";
/// Reason: a packet of a message whose beginning was not heard.
pub const REASON_NO_SESSION: &str = "transport_no_session";
/// Reason: an announcement whose size and packets do not fit each other, or a control byte that nobody knows.
pub const REASON_MALFORMED: &str = "transport_malformed";
/// Reason: more messages at once than [`SESSIONS_MAX`].
pub const REASON_FULL: &str = "transport_full";

/// A whole message of many packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongMessage {
    /// Who sent what to whom; the priority is that of its announcement.
    pub identifier: Identifier,
    /// 1 to [`PAYLOAD_BYTES_MAX`] bytes.
    pub payload: Vec<u8>,
    /// When its last packet was on the bus, where a log tells.
    pub at: Option<Stamp>,
}

impl LongMessage {
    /// The same, lent out.
    pub fn message(&self) -> Message<'_> {
        Message { identifier: self.identifier, payload: &self.payload, at: self.at }
    }
}

/// What the first byte of TP.CM says (J1939-21, 5.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Control {
    RequestToSend,
    ClearToSend,
    EndOfMessage,
    Broadcast,
    Abort,
}

impl Control {
    const fn parse(byte: u8) -> Option<Self> {
        match byte {
            16 => Some(Self::RequestToSend),
            17 => Some(Self::ClearToSend),
            19 => Some(Self::EndOfMessage),
            32 => Some(Self::Broadcast),
            255 => Some(Self::Abort),
            _ => None,
        }
    }
}

/// One message that is being put together. A source sends at most one to each destination at a time.
#[derive(Debug)]
struct Session {
    identifier: Identifier,
    broadcast: bool,
    size: usize,
    payload: Vec<u8>,
    /// The number of the next packet, from 1.
    next: u8,
    heard_ms: u64,
}

impl Session {
    const fn gap_ms_max(&self) -> u64 {
        if self.broadcast { BROADCAST_GAP_MS_MAX } else { CONNECTION_GAP_MS_MAX }
    }

    fn is_of(&self, source: u8, destination: u8) -> bool {
        self.identifier.source == source && self.identifier.destination == destination
    }
}

/// Puts the long messages of one bus together. Holds at most [`SESSIONS_MAX`] of them.
#[derive(Debug, Default)]
pub struct TransportProtocol {
    sessions: Vec<Session>,
}

impl TransportProtocol {
    /// Whether frames of this PGN belong here, and to nobody else.
    pub const fn carries(pgn: u32) -> bool {
        matches!(pgn, PGN_CONNECTION | PGN_DATA)
    }

    /// Takes one frame for which [`TransportProtocol::carries`] holds; gives the message that it completes. What is
    /// dropped is told to `sink` under one of the reasons above.
    pub fn take(
        &mut self,
        frame: &Frame,
        identifier: Identifier,
        mono_ms: u64,
        sink: &mut dyn Sink,
    ) -> Option<LongMessage> {
        self.expire(mono_ms, sink);
        match identifier.pgn {
            PGN_CONNECTION => {
                self.connection(frame, identifier, mono_ms, sink);
                None
            }
            PGN_DATA => self.data(frame, identifier, mono_ms, sink),
            _ => None,
        }
    }

    /// Drops what waited too long.
    fn expire(&mut self, mono_ms: u64, sink: &mut dyn Sink) {
        let before = self.sessions.len();
        self.sessions.retain(|session| mono_ms.saturating_sub(session.heard_ms) <= session.gap_ms_max());
        tell(REASON_TIMEOUT, before - self.sessions.len(), "the next packet did not come in time", b"", sink);
    }

    /// Another device took the address: what was half heard from it goes, and is counted.
    pub fn forget(&mut self, source: u8, sink: &mut dyn Sink) {
        let before = self.sessions.len();
        self.sessions.retain(|session| session.identifier.source != source);
        tell(REASON_INCOMPLETE, before - self.sessions.len(), "another device took the address", b"", sink);
    }

    /// The connection to the bus ended: what is half put together is dropped, and counted.
    pub fn end(&mut self, sink: &mut dyn Sink) {
        tell(REASON_INCOMPLETE, self.sessions.len(), "the bus went away", b"", sink);
        self.sessions.clear();
    }

    /// Bytes of memory that are held between two frames.
    pub fn held_bytes(&self) -> usize {
        let payloads: usize = self.sessions.iter().map(|session| session.payload.capacity()).sum();
        payloads + self.sessions.capacity() * size_of::<Session>()
    }

    fn connection(&mut self, frame: &Frame, id: Identifier, mono_ms: u64, sink: &mut dyn Sink) {
        let near = frame.bytes();
        let Some(control) = Control::parse(frame.data[0]).filter(|_| near.len() == 8) else {
            return tell(REASON_MALFORMED, 1, "neither RTS, CTS, EndOfMsgAck, BAM nor Abort", near, sink);
        };
        match control {
            Control::RequestToSend | Control::Broadcast => {
                self.close(id.source, id.destination, REASON_INCOMPLETE, sink);
                self.open(frame, id, control == Control::Broadcast, mono_ms, sink);
            }
            // From the receiver: the roles are the other way round.
            Control::ClearToSend => {
                if let Some(session) = self.session(id.destination, id.source) {
                    session.heard_ms = mono_ms;
                }
            }
            // A whole message is closed by its last packet; one that is still open missed some of them.
            Control::EndOfMessage => self.close(id.destination, id.source, REASON_INCOMPLETE, sink),
            Control::Abort => {
                self.close(id.destination, id.source, REASON_ABORTED, sink);
                self.close(id.source, id.destination, REASON_ABORTED, sink);
            }
        }
    }

    fn open(&mut self, frame: &Frame, id: Identifier, broadcast: bool, mono_ms: u64, sink: &mut dyn Sink) {
        let [_, size_low, size_high, packets, _, pgn @ ..] = frame.data;
        let size = usize::from(u16::from_le_bytes([size_low, size_high]));
        if size > PAYLOAD_BYTES_MAX || packets == 0 || size.div_ceil(PACKET_BYTES) != usize::from(packets) {
            return tell(REASON_MALFORMED, 1, "the packets announced do not make the size", frame.bytes(), sink);
        }
        if self.sessions.len() >= SESSIONS_MAX {
            return tell(REASON_FULL, 1, "too many long messages at once", frame.bytes(), sink);
        }
        let pgn = u32::from_le_bytes([pgn[0], pgn[1], pgn[2], 0]) & 0x3_FFFF;
        let identifier = Identifier { pgn, ..id };
        let payload = Vec::with_capacity(usize::from(packets) * PACKET_BYTES);
        self.sessions.push(Session { identifier, broadcast, size, payload, next: 1, heard_ms: mono_ms });
    }

    fn data(&mut self, frame: &Frame, id: Identifier, mono_ms: u64, sink: &mut dyn Sink) -> Option<LongMessage> {
        let near = frame.bytes();
        let Some(session) = self.session(id.source, id.destination) else {
            tell(REASON_NO_SESSION, 1, "a packet of a message whose beginning was not heard", near, sink);
            return None;
        };
        session.heard_ms = mono_ms;
        let (number, is_gap) = (frame.data[0], frame.data[0] > session.next);
        if near.len() < 2 || number != session.next {
            if is_gap && session.broadcast {
                self.close(id.source, id.destination, REASON_INCOMPLETE, sink);
            } else {
                tell(REASON_OUT_OF_ORDER, 1, "a packet out of its order", near, sink);
            }
            return None;
        }
        session.next = session.next.saturating_add(1);
        session.payload.extend_from_slice(&near[1..]);
        if session.payload.len() < session.size && near.len() < 8 {
            self.close(id.source, id.destination, REASON_INCOMPLETE, sink);
            return None;
        }
        if session.payload.len() < session.size {
            return None;
        }
        let at = self.sessions.iter().position(|session| session.is_of(id.source, id.destination))?;
        let Session { identifier, size, mut payload, .. } = self.sessions.swap_remove(at);
        payload.truncate(size);
        Some(LongMessage { identifier, payload, at: frame.at })
    }

    fn session(&mut self, source: u8, destination: u8) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.is_of(source, destination))
    }

    fn close(&mut self, source: u8, destination: u8, reason: &'static str, sink: &mut dyn Sink) {
        let before = self.sessions.len();
        self.sessions.retain(|session| !session.is_of(source, destination));
        tell(reason, before - self.sessions.len(), "a long message that never became whole", b"", sink);
    }
}

fn tell(reason: &'static str, count: usize, why: &'static str, near: &[u8], sink: &mut dyn Sink) {
    if count > 0 {
        sink.dropped(reason, count as u64, &why, near);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::can::testing::Counting;
    use proptest::prelude::*;

    fn frame(pgn: u32, source: u8, destination: u8, data: &[u8]) -> (Frame, Identifier) {
        let identifier = Identifier { priority: 7, pgn, source, destination };
        (Frame::extended(identifier.encode(), data).unwrap(), identifier)
    }

    type Step<'a> = (u64, u32, u8, u8, &'a [u8]);

    /// Plays (milliseconds, PGN, source, destination, data) and gives the messages with the drops.
    fn play(steps: &[Step<'_>]) -> (Vec<LongMessage>, Counting) {
        let (mut protocol, mut sink, mut whole) = (TransportProtocol::default(), Counting::default(), Vec::new());
        for (ms, pgn, source, destination, data) in steps {
            let (frame, identifier) = frame(*pgn, *source, *destination, data);
            whole.extend(protocol.take(&frame, identifier, *ms, &mut sink));
        }
        (whole, sink)
    }

    const CM: u32 = PGN_CONNECTION;
    const DT: u32 = PGN_DATA;
    /// BAM: 9 bytes in 2 packets, DM1 (65226).
    const BAM: &[u8] = &[32, 9, 0, 2, 255, 0xCA, 0xFE, 0];
    const RTS: &[u8] = &[16, 9, 0, 2, 255, 0xCA, 0xFE, 0];
    const ONE: &[u8] = &[1, 1, 2, 3, 4, 5, 6, 7];
    const TWO: &[u8] = &[2, 8, 9, 255, 255, 255, 255, 255];
    const NINE: [u8; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 9];

    #[test]
    fn a_broadcast_becomes_whole() {
        let (whole, sink) = play(&[(0, CM, 3, 255, BAM), (100, DT, 3, 255, ONE), (300, DT, 3, 255, TWO)]);
        assert_eq!(whole.len(), 1);
        assert_eq!((whole[0].identifier.pgn, whole[0].identifier.source), (65_226, 3));
        assert_eq!(whole[0].payload, NINE);
        assert_eq!(sink.dropped, []);
    }

    #[test]
    fn two_broadcasts_interleave() {
        let steps = [(CM, 3, BAM), (CM, 4, BAM), (DT, 3, ONE), (DT, 4, ONE), (DT, 4, TWO), (DT, 3, TWO)];
        let (whole, sink) = play(&steps.map(|(pgn, source, data)| (0, pgn, source, 255, data)));
        assert_eq!(whole.iter().map(|m| m.identifier.source).collect::<Vec<_>>(), [4, 3]);
        assert_eq!(sink.dropped, []);
    }

    #[test]
    fn a_connection_is_followed_and_its_receiver_may_ask_again() {
        let cts = &[17, 2, 1, 255, 255, 0xCA, 0xFE, 0];
        let done = &[19, 9, 0, 2, 255, 0xCA, 0xFE, 0];
        let (whole, sink) = play(&[
            (0, CM, 3, 9, RTS),
            (1_000, CM, 9, 3, cts),
            (1_900, DT, 3, 9, TWO),
            (2_000, CM, 9, 3, cts),
            (2_100, DT, 3, 9, ONE),
            (2_200, DT, 3, 9, TWO),
            (2_300, CM, 9, 3, done),
        ]);
        assert_eq!(whole[0].payload, NINE);
        assert_eq!(whole[0].identifier.destination, 9);
        assert_eq!(sink.dropped, [(REASON_OUT_OF_ORDER, 1)]);
    }

    #[test]
    fn what_never_becomes_whole_is_counted_by_its_reason() {
        let abort: &[u8] = &[255, 1, 255, 255, 255, 0xCA, 0xFE, 0];
        let lying: &[u8] = &[32, 9, 0, 3, 255, 0xCA, 0xFE, 0];
        let cases: [(&[Step<'_>], _); 8] = [
            (&[(0, CM, 3, 255, BAM), (0, DT, 3, 255, TWO)], REASON_INCOMPLETE),
            (&[(0, CM, 3, 255, BAM), (0, CM, 3, 255, BAM)], REASON_INCOMPLETE),
            (&[(0, CM, 3, 255, BAM), (0, DT, 3, 255, &ONE[..5])], REASON_INCOMPLETE),
            (&[(0, CM, 3, 255, BAM), (751, CM, 4, 255, BAM)], REASON_TIMEOUT),
            (&[(0, CM, 3, 9, RTS), (900, CM, 9, 3, abort)], REASON_ABORTED),
            (&[(0, CM, 3, 255, BAM), (0, DT, 3, 255, ONE), (0, DT, 3, 255, ONE)], REASON_OUT_OF_ORDER),
            (&[(0, DT, 3, 255, ONE)], REASON_NO_SESSION),
            (&[(0, CM, 3, 255, lying)], REASON_MALFORMED),
        ];
        for (steps, reason) in cases {
            let (whole, sink) = play(steps);
            assert_eq!((whole.len(), &sink.dropped[..]), (0, &[(reason, 1)][..]), "{steps:?}");
        }
    }

    #[test]
    fn a_storm_of_announcements_is_bounded() {
        let (mut protocol, mut sink) = (TransportProtocol::default(), Counting::default());
        for source in 0..=255 {
            let (frame, identifier) = frame(CM, source, 255, &[32, 0xF9, 6, 255, 255, 0xCA, 0xFE, 0]);
            protocol.take(&frame, identifier, 0, &mut sink);
        }
        assert_eq!(sink.dropped, [(REASON_FULL, 256 - SESSIONS_MAX as u64)]);
        assert!(protocol.held_bytes() <= 2 * SESSIONS_MAX * (PAYLOAD_BYTES_MAX + size_of::<Session>()));
        protocol.end(&mut sink);
        assert_eq!(sink.count(REASON_INCOMPLETE), SESSIONS_MAX as u64);
    }

    proptest! {
        #[test]
        fn any_frames_are_bounded(frames in proptest::collection::vec(
            (0u64..2_000, any::<bool>(), 0u8..4, 0u8..4, prop::sample::select(vec![16u8, 17, 19, 32, 255, 1, 2, 7]),
             proptest::collection::vec(any::<u8>(), 0..8)), 0..300)) {
            let (mut protocol, mut sink, mut now) = (TransportProtocol::default(), Counting::default(), 0);
            for (wait, is_data, source, destination, first, rest) in frames {
                now += wait / 100;
                let data: Vec<u8> = std::iter::once(first).chain(rest).collect();
                let (frame, id) = frame(if is_data { DT } else { CM }, source, destination, &data);
                if let Some(whole) = protocol.take(&frame, id, now, &mut sink) {
                    prop_assert!((1..=PAYLOAD_BYTES_MAX).contains(&whole.payload.len()));
                }
                prop_assert!(protocol.sessions.len() <= SESSIONS_MAX);
            }
        }
    }
}
