//! All that can be spoken on a wire, listened for at once. Pure.

use super::findings::Findings;
use super::frames::{CanBus, Carried};
use super::sentences::Census;
use crate::config::{Format, Protocol};
use crate::sensors::rate::{Heard, Listener};
use crate::wire::can::Format as Framing;
use crate::wire::{StreamDecoder, iec61162_450, nmea0183};

/// What carries frames over bytes, as the configuration and as the decoder call it.
const CARRIERS: [(Format, Framing); 3] = [
    (Format::Ydwg, Framing::YachtDevices),
    (Format::Actisense, Framing::ActisenseBinary),
    (Format::Candump, Framing::Candump),
];

/// Which kind of wire it is: what can be spoken depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// Bytes: TCP, a serial line.
    Stream,
    /// Datagrams.
    Datagrams,
    /// Frames of an interface.
    Frames,
}

/// One thing that may be spoken.
#[derive(Debug)]
pub(super) enum Tongue {
    /// NMEA 0183.
    Sentences { stream: nmea0183::Stream, census: Census, findings: Findings },
    /// IEC 61162-450.
    Network { stream: iec61162_450::Stream, census: Census, findings: Findings },
    /// Frames behind a gateway: NMEA 2000 or J1939.
    Carried(Format, Box<Carried>),
    /// Frames of an interface.
    Frames(Box<CanBus>),
}

/// Listens for all of them.
#[derive(Debug)]
pub(super) struct Ear {
    /// Bytes that came.
    pub bytes: u64,
    tongues: Vec<Tongue>,
}

impl Tongue {
    /// Whether it is spoken by `protocol`.
    const fn is_of(&self, protocol: Protocol) -> bool {
        match self {
            Self::Sentences { .. } => matches!(protocol, Protocol::Nmea0183),
            Self::Network { .. } => matches!(protocol, Protocol::Iec61162_450),
            Self::Carried(..) | Self::Frames(_) => protocol.is_can(),
        }
    }

    fn push(&mut self, bytes: &[u8], mono_ms: u64) {
        match self {
            Self::Sentences { stream, census, findings } => {
                stream.push(bytes, mono_ms, findings);
                census.push(bytes);
            }
            // A datagram comes whole.
            Self::Network { stream, census, findings } => {
                stream.push(bytes, mono_ms, findings);
                match bytes.strip_prefix(iec61162_450::SENTENCES) {
                    Some(sentences) => census.push(sentences),
                    None => census.broken(),
                }
            }
            Self::Carried(_, carried) => carried.push(bytes, mono_ms),
            Self::Frames(_) => {}
        }
    }

    fn end_of_datagram(&mut self, mono_ms: u64) {
        match self {
            Self::Sentences { stream, census, findings } => {
                stream.end_of_datagram(mono_ms, findings);
                census.finish();
            }
            Self::Network { stream, census, findings } => {
                stream.end_of_datagram(mono_ms, findings);
                census.finish();
            }
            Self::Carried(_, carried) => carried.finish(mono_ms),
            Self::Frames(_) => {}
        }
    }

    /// Sound messages, and what was nothing of this kind.
    pub fn sound_and_broken(&self) -> (u64, u64) {
        match self {
            Self::Sentences { census, .. } | Self::Network { census, .. } => {
                (census.counts().sound, census.counts().broken)
            }
            Self::Carried(_, carried) => (carried.bus.census.frames, carried.broken),
            Self::Frames(bus) => (bus.census.frames, 0),
        }
    }
}

impl Ear {
    /// Listens for what can be spoken on `wire`, or for `protocol` alone.
    pub fn new(wire: Wire, protocol: Option<Protocol>) -> Self {
        let mut tongues = Vec::new();
        if wire == Wire::Frames {
            tongues.push(Tongue::Frames(Box::default()));
        } else {
            let (census, findings) = Default::default();
            tongues.push(Tongue::Sentences { stream: nmea0183::Stream::default(), census, findings });
            let carried = |(format, framing)| Tongue::Carried(format, Box::new(Carried::new(framing)));
            tongues.extend(CARRIERS.map(carried));
        }
        if wire == Wire::Datagrams {
            let (census, findings) = Default::default();
            tongues.push(Tongue::Network { stream: iec61162_450::Stream::default(), census, findings });
        }
        tongues.retain(|tongue| protocol.is_none_or(|protocol| tongue.is_of(protocol)));
        Self { bytes: 0, tongues }
    }

    /// A datagram ended, and with it its last message.
    pub fn end_of_datagram(&mut self, mono_ms: u64) {
        self.tongues.iter_mut().for_each(|tongue| tongue.end_of_datagram(mono_ms));
    }

    /// The frames of an interface go here.
    pub fn frames(&mut self, take: impl FnOnce(&mut CanBus)) {
        if let Some(Tongue::Frames(bus)) = self.tongues.first_mut() {
            take(bus);
        }
    }

    /// What is spoken most soundly, understood or not: the one with the most sound messages more than broken ones.
    /// Several may make sense of a datagram: sentences are whole behind a header that is none of theirs.
    pub fn best(&self) -> Option<&Tongue> {
        let surplus = |tongue: &&Tongue| {
            let (sound, broken) = tongue.sound_and_broken();
            (sound > 0).then(|| sound.cast_signed().saturating_sub(broken.cast_signed()))
        };
        self.tongues.iter().filter(|tongue| surplus(tongue).is_some()).max_by_key(surplus)
    }

    /// What is spoken, if it is more than an accident.
    pub fn understood(&self) -> Option<&Tongue> {
        self.best().filter(|tongue| {
            let (sound, broken) = tongue.sound_and_broken();
            sound >= broken
        })
    }
}

impl Listener for Ear {
    fn take(&mut self, bytes: &[u8], mono_ms: u64) {
        self.bytes += bytes.len() as u64;
        self.tongues.iter_mut().for_each(|tongue| tongue.push(bytes, mono_ms));
    }

    fn heard(&self) -> Heard {
        let (messages, dropped) = self.best().map_or((0, 0), Tongue::sound_and_broken);
        Heard { bytes: self.bytes, messages, dropped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPTH: &[u8] = b"$SDDBT,7.8,f,2.4,M,1.3,F*0D\r\n";

    fn spoken(wire: Wire, protocol: Option<Protocol>, pieces: &[&[u8]]) -> String {
        let mut ear = Ear::new(wire, protocol);
        for piece in pieces {
            ear.take(piece, 0);
            if wire == Wire::Datagrams {
                ear.end_of_datagram(0);
            }
        }
        ear.understood().map_or_else(String::new, |tongue| match tongue {
            Tongue::Sentences { .. } => "sentences".to_owned(),
            Tongue::Network { .. } => "network".to_owned(),
            Tongue::Carried(format, _) => format!("{format:?}"),
            Tongue::Frames(_) => "frames".to_owned(),
        })
    }

    #[test]
    fn each_kind_is_known_by_its_sound_messages() {
        let listened = |piece: &[u8]| spoken(Wire::Stream, None, &[piece, piece]);
        assert_eq!(listened(DEPTH), "sentences");
        assert_eq!(listened(b"17:33:21.107 R 19F51323 01 2F 30 70 00 2F 30 70\r\n"), "Ydwg");
        assert_eq!(listened(b"(1436509052.249713) can0 09F80101#AABBCCDD00112233\n"), "Candump");
        assert_eq!(listened(b"\xA7\x13\x95garbage\x02 $ of another rate\xFF\n"), "");
        assert_eq!(listened(b""), "");
    }

    #[test]
    fn a_datagram_with_a_header_is_of_the_network_and_one_without_is_not() {
        let with_header = [b"UdPbC\0\\s:SD0001*5F\\", DEPTH].concat();
        assert_eq!(spoken(Wire::Datagrams, None, &[&with_header, &with_header]), "network");
        assert_eq!(spoken(Wire::Datagrams, None, &[DEPTH, DEPTH]), "sentences");
        assert_eq!(spoken(Wire::Datagrams, Some(Protocol::Iec61162_450), &[DEPTH, DEPTH]), "");
    }

    #[test]
    fn more_garbage_than_sense_is_not_understood() {
        let broken = b"$SDDBT,7.8,f,2.4,M,1.3,F*00\r\n";
        assert_eq!(spoken(Wire::Stream, None, &[DEPTH, broken]), "sentences");
        assert_eq!(spoken(Wire::Stream, None, &[DEPTH, broken, broken]), "");
    }
}
