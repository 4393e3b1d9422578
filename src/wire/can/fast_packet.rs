//! Fast packets of NMEA 2000: up to 223 bytes in up to 32 frames of one PGN, told apart by a sequence counter.
//!
//! The first byte of each frame is the sequence counter (3 bits) and the frame's number (5 bits). Frame 0 says how many
//! bytes there are and brings 6 of them, each other frame brings 7. It refuses to repair: a CAN bus keeps the order of
//! one sender's frames, so a frame that is not the next one means that others were lost, and what the rest would be
//! joined to may be an older message with the same counter. Frame 0 always starts anew (canboat#738).

use std::fmt;

use super::Identifier;

/// The longest fast packet: 6 bytes in frame 0, 7 in each of 31 more.
pub const FAST_PACKET_BYTES_MAX: usize = 6 + 31 * 7;

/// A sender that pauses longer within a message has given it up. NMEA 2000 devices send the frames of one message back
/// to back; 750 ms is what J1939-21 (5.10.2.4, T1) gives the next packet of a transfer, and leaves room for a bus load
/// of 100 %.
pub const PAUSE_MS_MAX: u64 = 750;

/// Messages that are put together at one time, all senders: when full, the one that waited longest goes. A full bus of
/// 50 devices with two long messages each is 100; one costs 248 bytes, so all are 32 KiB.
pub const OPEN_MAX: usize = 128;

/// Messages that never became whole, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Messages with a frame missing, too short, or begun anew.
    pub incomplete: u64,
    /// Messages whose next frame did not come in [`PAUSE_MS_MAX`].
    pub timeout: u64,
    /// Messages that made room for others, beyond [`OPEN_MAX`].
    pub overflow: u64,
    /// Frames without a frame 0 before them: what is left of a message that was dropped, or begun before we listened.
    pub without_start: u64,
}

impl Lost {
    /// Each count with the reason that metrics know it by.
    pub const fn reasons(self) -> [(&'static str, u64); 4] {
        [
            ("fast_packet_incomplete", self.incomplete),
            ("fast_packet_timeout", self.timeout),
            ("fast_packet_overflow", self.overflow),
            ("fast_packet_without_start", self.without_start),
        ]
    }
}

/// The messages of one bus that are being put together.
#[derive(Default)]
pub struct FastPackets {
    /// Beside `open`, so that looking for one touches little memory.
    keys: Vec<Key>,
    open: Vec<Open>,
    whole: Open,
    lost: Lost,
}

/// Source, PGN and sequence counter.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key(u8, u32, u8);

#[derive(Clone, Copy)]
struct Open {
    data: [u8; FAST_PACKET_BYTES_MAX],
    length: u8,
    have: u8,
    next: u8,
    heard_ms: u64,
}

impl Default for Open {
    fn default() -> Self {
        Self { data: [0; FAST_PACKET_BYTES_MAX], length: 0, have: 0, next: 0, heard_ms: 0 }
    }
}

impl fmt::Debug for FastPackets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FastPackets").field("open", &self.open.len()).field("lost", &self.lost).finish()
    }
}

impl FastPackets {
    /// Takes the data of one frame of a fast-packet PGN. Whether it was the last one: then [`FastPackets::payload`] is
    /// the message's.
    pub fn push(&mut self, identifier: Identifier, frame: &[u8], mono_ms: u64) -> bool {
        let Some((header, rest)) = frame.split_first() else {
            self.lost.incomplete += 1;
            return false;
        };
        let key = Key(identifier.source, identifier.pgn, header >> 5);
        let at = self.keys.iter().position(|open| *open == key);
        match header & 0x1F {
            0 => self.start(key, at, rest, mono_ms),
            number => self.go_on(at, number, rest, mono_ms),
        }
    }

    /// The message that the last frame completed.
    pub fn payload(&self) -> &[u8] {
        &self.whole.data[..usize::from(self.whole.length)]
    }

    fn start(&mut self, key: Key, at: Option<usize>, frame: &[u8], mono_ms: u64) -> bool {
        if let Some(at) = at {
            self.remove(at);
            self.lost.incomplete += 1;
        }
        let (length, first) = frame.split_first().map_or((0, frame), |(length, first)| (*length, first));
        let have = usize::from(length).min(6);
        if length == 0 || usize::from(length) > FAST_PACKET_BYTES_MAX || first.len() < have {
            self.lost.incomplete += 1;
            return false;
        }
        let whole = usize::from(length) == have;
        let open = if whole { &mut self.whole } else { self.room(key, mono_ms) };
        open.data[..have].copy_from_slice(&first[..have]);
        (open.length, open.have, open.next, open.heard_ms) = (length, length.min(6), 1, mono_ms);
        whole
    }

    fn go_on(&mut self, at: Option<usize>, number: u8, frame: &[u8], mono_ms: u64) -> bool {
        let Some(at) = at else {
            self.lost.without_start += 1;
            return false;
        };
        let open = &mut self.open[at];
        if mono_ms.saturating_sub(open.heard_ms) > PAUSE_MS_MAX {
            self.remove(at);
            self.lost.timeout += 1;
            return false;
        }
        let have = usize::from(open.have);
        let more = (usize::from(open.length) - have).min(7);
        if number != open.next || frame.len() < more {
            self.remove(at);
            self.lost.incomplete += 1;
            return false;
        }
        open.data[have..have + more].copy_from_slice(&frame[..more]);
        open.have += u8::try_from(more).unwrap_or(0);
        (open.next, open.heard_ms) = (number + 1, mono_ms);
        if open.have < open.length {
            return false;
        }
        self.whole = *open;
        self.remove(at);
        true
    }

    /// A new open message. Those whose time is over go first, then the one that waited longest.
    fn room(&mut self, key: Key, mono_ms: u64) -> &mut Open {
        for at in (0..self.open.len()).rev() {
            if mono_ms.saturating_sub(self.open[at].heard_ms) > PAUSE_MS_MAX {
                self.remove(at);
                self.lost.timeout += 1;
            }
        }
        if self.open.len() >= OPEN_MAX {
            let oldest = (0..OPEN_MAX).min_by_key(|at| self.open[*at].heard_ms).unwrap_or(0);
            self.remove(oldest);
            self.lost.overflow += 1;
        }
        self.keys.push(key);
        self.open.push(Open::default());
        self.open.last_mut().expect("it was pushed just now")
    }

    fn remove(&mut self, at: usize) {
        self.keys.swap_remove(at);
        self.open.swap_remove(at);
    }

    /// Another device took the address: what was half heard from it goes.
    pub fn forget(&mut self, source: u8) {
        for at in (0..self.keys.len()).rev() {
            if self.keys[at].0 == source {
                self.remove(at);
                self.lost.incomplete += 1;
            }
        }
    }

    /// The connection ended, and with it all that is open.
    pub fn clear(&mut self) {
        self.lost.incomplete += self.open.len() as u64;
        self.keys.clear();
        self.open.clear();
    }

    /// What was lost since this was asked last; `None` when nothing was.
    pub fn take_lost(&mut self) -> Option<Lost> {
        (self.lost != Lost::default()).then(|| std::mem::take(&mut self.lost))
    }

    /// Bytes of memory that are held.
    pub const fn held_bytes(&self) -> usize {
        self.keys.capacity() * size_of::<Key>() + self.open.capacity() * size_of::<Open>() + size_of::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn from(source: u8) -> Identifier {
        Identifier { priority: 3, pgn: 129_029, source, destination: 255 }
    }

    /// The frames of a message.
    fn frames(sequence: u8, payload: &[u8]) -> Vec<Vec<u8>> {
        let first = payload.len().min(6);
        let length = u8::try_from(payload.len()).unwrap();
        let mut frames = vec![[&[sequence << 5, length][..], &payload[..first]].concat()];
        for (number, part) in payload[first..].chunks(7).enumerate() {
            frames.push([&[sequence << 5 | u8::try_from(number + 1).unwrap()][..], part].concat());
        }
        frames.iter_mut().for_each(|frame| frame.resize(8, 0xFF));
        frames
    }

    fn joined(packets: &mut FastPackets, frames: &[Vec<u8>], mono_ms: u64) -> Vec<Vec<u8>> {
        let whole = |frame: &Vec<u8>| packets.push(from(1), frame, mono_ms).then(|| packets.payload().to_vec());
        frames.iter().filter_map(whole).collect()
    }

    #[test]
    fn a_message_of_any_length_comes_back() {
        for length in 1..=FAST_PACKET_BYTES_MAX {
            let payload: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let mut packets = FastPackets::default();
            assert_eq!(joined(&mut packets, &frames(5, &payload), 0), [payload], "{length} bytes");
            assert_eq!((packets.take_lost(), packets.open.len()), (None, 0));
        }
    }

    #[test]
    fn frame_zero_starts_anew_and_a_gap_drops() {
        let (old, new) = (frames(1, &[1; 20]), frames(1, &[2; 20]));
        let mut packets = FastPackets::default();
        assert_eq!(joined(&mut packets, &old[..2], 0), [] as [Vec<u8>; 0]);
        assert_eq!(joined(&mut packets, &new, 0), [vec![2; 20]], "nothing of the old one in it");
        assert_eq!(packets.take_lost(), Some(Lost { incomplete: 1, ..Lost::default() }));
        let gap = [old[0].clone(), old[2].clone(), old[1].clone()];
        assert_eq!(joined(&mut packets, &gap, 0), [] as [Vec<u8>; 0]);
        assert_eq!(packets.take_lost(), Some(Lost { incomplete: 1, without_start: 1, ..Lost::default() }));
    }

    #[test]
    fn a_pause_ends_a_message_and_the_number_of_open_ones_is_bounded() {
        let long = frames(1, &[1; 20]);
        let mut packets = FastPackets::default();
        joined(&mut packets, &long[..1], 0);
        joined(&mut packets, &long[1..], PAUSE_MS_MAX + 1);
        assert_eq!(packets.take_lost(), Some(Lost { timeout: 1, without_start: 1, ..Lost::default() }));
        for source in 0..=255 {
            packets.push(from(source), &long[0], u64::from(source));
        }
        assert_eq!(packets.open.len(), OPEN_MAX);
        assert_eq!(packets.take_lost().unwrap().overflow, 256 - OPEN_MAX as u64);
        packets.forget(255);
        packets.clear();
        assert_eq!(packets.take_lost().unwrap().incomplete, OPEN_MAX as u64);
        assert!(packets.held_bytes() < 64 << 10);
    }

    #[test]
    fn what_cannot_be_a_frame_is_counted() {
        let mut packets = FastPackets::default();
        let bad: [&[u8]; 5] = [&[], &[0x20], &[0x20, 0, 1], &[0x20, 224, 1, 2, 3, 4, 5, 6], &[0x20, 8]];
        for frame in bad {
            assert!(!packets.push(from(1), frame, 0));
        }
        assert_eq!(packets.take_lost(), Some(Lost { incomplete: 5, ..Lost::default() }));
    }

    proptest! {
        #[test]
        fn interleaved_senders_do_not_mix(
            order in proptest::collection::vec(0_usize..4, 0..200), lengths in proptest::array::uniform4(1_usize..224)
        ) {
            let mut waiting: Vec<_> = (0..4_u8).map(|at| {
                frames(at, &vec![at; lengths[usize::from(at)]]).into_iter().cycle()
            }).collect();
            let mut packets = FastPackets::default();
            for at in order {
                let source = u8::try_from(at).unwrap();
                let frame = waiting[at].next().unwrap();
                if packets.push(from(source), &frame, 0) {
                    prop_assert_eq!(packets.payload(), vec![source; lengths[at]]);
                }
            }
        }

        #[test]
        fn any_frames_are_taken(
            frames in proptest::collection::vec(
                (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..9), 0_u64..5_000), 0..500
            )
        ) {
            let mut packets = FastPackets::default();
            for (source, frame, mono_ms) in frames {
                packets.push(from(source), &frame, mono_ms);
                prop_assert!(packets.payload().len() <= FAST_PACKET_BYTES_MAX && packets.open.len() <= OPEN_MAX);
            }
        }
    }
}
