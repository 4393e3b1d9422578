//! TCP payload in its order, each direction of each connection for itself. Bounded: what waits too long for a segment
//! that the capture missed is handed out behind a [`Piece::Lost`].

use std::collections::HashMap;

use super::packet::{Endpoint, Segment};

/// Payload that waits in one direction for an earlier segment: one window without scaling (RFC 9293, 3.1).
pub const HELD_BYTES_MAX: usize = 65_535;

/// Segments that wait in one direction, so that tiny ones cannot cost more than they hold: a window of 1,460 bytes each
/// is 45.
const HELD_SEGMENTS_MAX: usize = 64;

/// Directions followed at once; the one heard of longest ago gives way. A vessel's network has tens.
const DIRECTIONS_MAX: usize = 256;

/// One direction of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Who sends.
    pub from: Endpoint,
    /// To whom.
    pub to: Endpoint,
}

/// What comes out of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The next bytes.
    Bytes(&'a [u8]),
    /// So many bytes are not in the capture.
    Lost(u32),
    /// Nothing more comes: it was closed, broken, or gave way.
    End,
}

/// Puts segments into order.
#[derive(Debug, Default)]
pub struct TcpStreams {
    directions: HashMap<Flow, Direction>,
    segments: u64,
}

#[derive(Debug, Default)]
struct Direction {
    /// Number of the byte that comes next.
    next: u32,
    /// Number behind the last byte, once it was said.
    end: Option<u32>,
    /// Segments ahead of `next`.
    held: Vec<(u32, Vec<u8>)>,
    touched: u64,
}

impl TcpStreams {
    /// Takes one segment and hands out what it completes.
    pub fn take(&mut self, segment: &Segment<'_>, mut piece: impl FnMut(Flow, Piece<'_>)) {
        self.segments += 1;
        let flow = Flow { from: segment.from, to: segment.to };
        let start = segment.sequence.wrapping_add(u32::from(segment.syn));
        if segment.syn || !self.directions.contains_key(&flow) {
            self.close(flow, &mut piece);
            self.make_room(&mut piece);
            self.directions.insert(flow, Direction { next: start, ..Direction::default() });
        }
        let Some(direction) = self.directions.get_mut(&flow) else { return };
        direction.touched = self.segments;
        direction.take(start, segment.payload, |p| piece(flow, p));
        if segment.fin {
            direction.end = Some(start.wrapping_add(u32::try_from(segment.payload.len()).unwrap_or(0)));
        }
        if segment.rst || direction.end == Some(direction.next) {
            self.close(flow, &mut piece);
        }
    }

    /// The capture is over: hands out what still waits.
    pub fn finish(&mut self, mut piece: impl FnMut(Flow, Piece<'_>)) {
        let mut flows: Vec<Flow> = self.directions.keys().copied().collect();
        flows.sort_unstable_by_key(|flow| (flow.from, flow.to));
        flows.into_iter().for_each(|flow| self.close(flow, &mut piece));
    }

    /// Payload that waits, of all directions.
    pub fn held_bytes(&self) -> usize {
        self.directions.values().map(Direction::held_bytes).sum()
    }

    fn make_room(&mut self, piece: &mut impl FnMut(Flow, Piece<'_>)) {
        if self.directions.len() >= DIRECTIONS_MAX
            && let Some(oldest) = self.directions.iter().min_by_key(|(_, d)| d.touched).map(|(flow, _)| *flow)
        {
            self.close(oldest, piece);
        }
    }

    fn close(&mut self, flow: Flow, piece: &mut impl FnMut(Flow, Piece<'_>)) {
        if let Some(mut direction) = self.directions.remove(&flow) {
            while direction.skip_gap(&mut |p| piece(flow, p)) {}
            piece(flow, Piece::End);
        }
    }
}

impl Direction {
    fn take(&mut self, start: u32, payload: &[u8], mut piece: impl FnMut(Piece<'_>)) {
        if payload.is_empty() {
            return;
        }
        if self.ahead(start) > 0 {
            self.held.push((start, payload.to_vec()));
        } else {
            self.hand_out(start, payload, &mut piece);
            self.drain(&mut piece);
        }
        while self.held.len() > HELD_SEGMENTS_MAX || self.held_bytes() > HELD_BYTES_MAX {
            self.skip_gap(&mut piece);
        }
    }

    /// How far ahead of the next byte a number is; negative behind it. Numbers wrap.
    const fn ahead(&self, number: u32) -> i32 {
        number.wrapping_sub(self.next).cast_signed()
    }

    fn held_bytes(&self) -> usize {
        self.held.iter().map(|(_, payload)| payload.len()).sum()
    }

    /// Hands out the part of a segment that did not come before.
    fn hand_out(&mut self, start: u32, payload: &[u8], piece: &mut impl FnMut(Piece<'_>)) {
        let known = usize::try_from(-i64::from(self.ahead(start))).unwrap_or(0);
        if let Some(fresh) = payload.get(known..).filter(|fresh| !fresh.is_empty()) {
            piece(Piece::Bytes(fresh));
            self.next = self.next.wrapping_add(u32::try_from(fresh.len()).unwrap_or(0));
        }
    }

    fn drain(&mut self, piece: &mut impl FnMut(Piece<'_>)) {
        while let Some(at) = self.held.iter().position(|(start, _)| self.ahead(*start) <= 0) {
            let (start, payload) = self.held.swap_remove(at);
            self.hand_out(start, &payload, piece);
        }
    }

    /// Gives up what is missing before the first held segment; `false` when none is held.
    fn skip_gap(&mut self, piece: &mut impl FnMut(Piece<'_>)) -> bool {
        let Some(nearest) = self.held.iter().map(|(start, _)| self.ahead(*start)).min() else { return false };
        piece(Piece::Lost(nearest.unsigned_abs()));
        self.next = self.next.wrapping_add(nearest.cast_unsigned());
        self.drain(piece);
        true
    }
}
