//! Puts AIS messages of several sentences together. Bounded by count and by age, measured in sentences: there is no
//! clock.

use crate::wire::Source;

/// Messages that may be in the making at once: ten sequence numbers on two channels, and one more talker's share.
const MESSAGES_MAX: usize = 32;
/// AIS sentences after which a message in the making is given up. A receiver sends the parts of a message one after the
/// other; a multiplexer puts a few sentences of other talkers between.
const AGE_SENTENCES_MAX: u64 = 128;
/// The longest payload put together, characters. An AIS message is 1,064 bits at most (ITU-R M.1371-5, 5 slots), which
/// is 178 characters; nine sentences of 82 cannot hold more than this.
const PAYLOAD_BYTES_MAX: usize = 9 * 82;

/// What fragments of one message share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Who spoke.
    pub source: Source,
    /// VDO or VDM.
    pub own: bool,
    /// Radio channel; blank for some receivers.
    pub channel: Option<u8>,
    /// Sequence number; blank for messages of one sentence.
    pub sequence: Option<u8>,
}

/// One sentence's part of a message.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    /// Which message.
    pub key: Key,
    /// Fragments of the message.
    pub total: u8,
    /// This one, from 1.
    pub number: u8,
    /// Filling bits at its end.
    pub fill: u8,
    /// Armoured payload.
    pub payload: &'a [u8],
}

#[derive(Debug)]
struct Message {
    key: Key,
    total: u8,
    taken: u8,
    touched: u64,
    payload: Vec<u8>,
}

/// Messages in the making.
#[derive(Debug, Default)]
pub struct Fragments {
    making: Vec<Message>,
    whole: Vec<u8>,
    sentences: u64,
    lost: u64,
}

impl Fragments {
    /// Fragments whose message never became whole.
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// Takes one fragment; the payload of the whole message when this was its last.
    pub fn join<'a>(&'a mut self, fragment: Fragment<'a>) -> Option<&'a [u8]> {
        self.sentences += 1;
        if fragment.total == 1 {
            return Some(fragment.payload);
        }
        self.give_up_old();
        let known = self.making.iter().position(|m| m.key == fragment.key);
        if fragment.number == 1 {
            if let Some(at) = known {
                self.give_up(at);
            }
            self.start(&fragment);
            return None;
        }
        let Some(at) = known else {
            self.lost += 1;
            return None;
        };
        let message = &mut self.making[at];
        let fits = message.payload.len() + fragment.payload.len() <= PAYLOAD_BYTES_MAX;
        if message.total != fragment.total || message.taken + 1 != fragment.number || !fits {
            self.lost += 1;
            self.give_up(at);
            return None;
        }
        message.payload.extend_from_slice(fragment.payload);
        message.taken += 1;
        message.touched = self.sentences;
        if message.taken < message.total {
            return None;
        }
        self.whole = self.making.swap_remove(at).payload;
        Some(&self.whole)
    }

    fn start(&mut self, fragment: &Fragment<'_>) {
        if self.making.len() >= MESSAGES_MAX {
            let oldest = self.making.iter().enumerate().min_by_key(|(_, m)| m.touched).map_or(0, |(at, _)| at);
            self.give_up(oldest);
        }
        let (key, total, touched) = (fragment.key, fragment.total, self.sentences);
        let kept = &fragment.payload[..fragment.payload.len().min(PAYLOAD_BYTES_MAX)];
        self.making.push(Message { key, total, taken: 1, touched, payload: kept.to_vec() });
    }

    fn give_up_old(&mut self) {
        while let Some(at) = self.making.iter().position(|m| self.sentences - m.touched > AGE_SENTENCES_MAX) {
            self.give_up(at);
        }
    }

    /// Gives up all messages in the making.
    pub fn end(&mut self) {
        self.lost += self.making.drain(..).map(|message| u64::from(message.taken)).sum::<u64>();
    }

    /// Bytes of memory that are held.
    pub fn held_bytes(&self) -> usize {
        let payloads = self.making.iter().map(|message| message.payload.capacity()).sum::<usize>();
        self.making.capacity() * size_of::<Message>() + payloads + self.whole.capacity()
    }

    fn give_up(&mut self, at: usize) {
        self.lost += u64::from(self.making.swap_remove(at).taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Word;

    fn fragment(sequence: u8, total: u8, number: u8, payload: &'static [u8]) -> Fragment<'static> {
        let key =
            Key { source: Source::Talker(Word::default()), own: false, channel: Some(b'A'), sequence: Some(sequence) };
        Fragment { key, total, number, fill: 0, payload }
    }

    #[test]
    fn messages_interleave() {
        let mut fragments = Fragments::default();
        assert_eq!(fragments.join(fragment(1, 2, 1, b"ab")), None);
        assert_eq!(fragments.join(fragment(2, 2, 1, b"cd")), None);
        assert_eq!(fragments.join(fragment(3, 1, 1, b"xy")), Some(&b"xy"[..]));
        assert_eq!(fragments.join(fragment(1, 2, 2, b"AB")), Some(&b"abAB"[..]));
        assert_eq!(fragments.join(fragment(2, 2, 2, b"CD")), Some(&b"cdCD"[..]));
        assert_eq!((fragments.lost(), fragments.making.len()), (0, 0));
    }

    #[test]
    fn what_never_becomes_whole_is_counted() {
        let mut fragments = Fragments::default();
        assert_eq!(fragments.join(fragment(1, 2, 2, b"no first")), None);
        assert_eq!(fragments.lost(), 1);
        fragments.join(fragment(1, 3, 1, b"a"));
        fragments.join(fragment(1, 3, 1, b"a again"));
        assert_eq!(fragments.lost(), 2, "a new first resets");
        fragments.join(fragment(1, 3, 3, b"second missing"));
        assert_eq!((fragments.lost(), fragments.making.len()), (4, 0));
        fragments.join(fragment(1, 3, 1, b"a"));
        fragments.join(fragment(1, 2, 2, b"other total"));
        assert_eq!((fragments.lost(), fragments.making.len()), (6, 0));
    }

    #[test]
    fn memory_is_bounded_by_count_and_age() {
        let mut fragments = Fragments::default();
        for n in 0..1_000_u32 {
            let word = Word::new(&[b'A' + (n / 26 % 26) as u8, b'A' + (n % 26) as u8]).unwrap();
            let key = Key { source: Source::Talker(word), own: n % 2 == 0, channel: None, sequence: None };
            fragments.join(Fragment { key, total: 2, number: 1, fill: 0, payload: b"abc" });
            assert!(fragments.making.len() <= MESSAGES_MAX);
        }
        for _ in 0..=AGE_SENTENCES_MAX {
            fragments.join(fragment(1, 1, 1, b"x"));
        }
        fragments.join(fragment(1, 2, 2, b"x"));
        assert_eq!((fragments.making.len(), fragments.lost()), (0, 1_001));
    }
}
