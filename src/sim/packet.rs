//! What goes onto a wire in one piece, and what a listener must find in it.

use crate::wire::can::Frame;

/// Readings that a listener can be held to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// These it must find.
    pub readings: u32,
    /// These it may find besides: of messages that a fault spoiled, of alarms that a listener may tell only once.
    pub maybe: u32,
}

impl Count {
    /// Nobody can be held to any of them: a fault came between.
    pub(crate) fn spoil(&mut self) {
        // A spoiled field may turn up under a path that the message did not have: twice as many, and one.
        self.maybe += 2 * self.readings + 1;
        self.readings = 0;
    }
}

impl std::iter::Sum for Count {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, count| Self {
            readings: sum.readings + count.readings,
            maybe: sum.maybe + count.maybe,
        })
    }
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Into a stream or a datagram.
    Bytes(Vec<u8>),
    /// Onto a CAN interface.
    Frame(Frame),
}

/// One line, frame or binary message. A listener has the message that it is part of when it has its last packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// What is written.
    pub body: Body,
    /// What it completes.
    pub count: Count,
    /// Which message of its round it is part of, from 1; 0: none, it is noise.
    pub message: u32,
}

impl Packet {
    /// Noise: part of no message.
    pub(crate) fn noise(body: Body) -> Self {
        Self { body, count: Count::default(), message: 0 }
    }
}
