//! Which changes a broker has acknowledged: from acknowledgements in any order to a cursor that only moves over an
//! unbroken row. Pure. It refuses to move for anything but an acknowledgement or a dead letter.

use std::collections::BTreeMap;

/// The books of one broker.
#[derive(Debug, PartialEq, Eq)]
pub struct Acks {
    cursor: u64,
    read: u64,
    /// Versions read and not yet settled, with the number of their messages that are still out.
    open: BTreeMap<u64, usize>,
}

impl Acks {
    /// All up to `cursor` was acknowledged in an earlier life.
    pub const fn new(cursor: u64) -> Self {
        Self { cursor, read: cursor, open: BTreeMap::new() }
    }

    /// The last version of which it and all before are settled.
    pub const fn cursor(&self) -> u64 {
        self.cursor
    }

    /// The last version that was read from the log.
    pub const fn read(&self) -> u64 {
        self.read
    }

    /// Whether all that was read is settled.
    pub fn is_settled(&self) -> bool {
        self.open.is_empty()
    }

    /// `version` was read and goes out as `messages`. Versions come in rising order.
    pub fn opened(&mut self, version: u64, messages: usize) {
        debug_assert!(version > self.read, "the log is read in order");
        self.read = version;
        if messages > 0 {
            self.open.insert(version, messages);
        }
        self.advance();
    }

    /// One message of `version` was acknowledged. Unknown versions are ignored: they were rewound.
    pub fn settled(&mut self, version: u64) {
        if let Some(left) = self.open.get_mut(&version) {
            *left -= 1;
            if *left == 0 {
                self.open.remove(&version);
                self.advance();
            }
        }
    }

    /// All that is not settled goes out again: reading continues after the cursor.
    pub fn rewind(&mut self) {
        self.open.clear();
        self.read = self.cursor;
    }

    fn advance(&mut self) {
        self.cursor = self.open.first_key_value().map_or(self.read, |(first, _)| first - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_cursor_waits_for_the_oldest() {
        let mut acks = Acks::new(10);
        for version in 11..=13 {
            acks.opened(version, 2);
        }
        for version in [12, 13, 13, 12, 11] {
            acks.settled(version);
            assert_eq!(acks.cursor(), 10);
        }
        acks.settled(11);
        assert_eq!(acks.cursor(), 13);
        assert!(acks.is_settled());
    }

    #[test]
    fn a_rewind_reads_again_from_the_cursor_and_ignores_late_acknowledgements() {
        let mut acks = Acks::new(0);
        acks.opened(1, 1);
        acks.opened(2, 1);
        acks.settled(1);
        acks.rewind();
        acks.settled(2);
        assert_eq!((acks.cursor(), acks.read()), (1, 1));
    }

    #[test]
    fn a_pruned_gap_does_not_hold_the_cursor() {
        let mut acks = Acks::new(0);
        acks.opened(5, 0);
        assert_eq!(acks.cursor(), 5);
        acks.opened(9, 1);
        assert_eq!(acks.cursor(), 8);
    }

    proptest! {
        #[test]
        fn the_cursor_never_passes_what_is_out(
            order in Just((1u64..=20).collect::<Vec<_>>()).prop_shuffle(),
            cut in 0usize..20,
        ) {
            let mut acks = Acks::new(0);
            for version in 1..=20 { acks.opened(version, 1); }
            for version in &order[..cut] { acks.settled(*version); }
            let oldest_out = order[cut..].iter().min().copied().unwrap();
            prop_assert_eq!(acks.cursor(), oldest_out - 1);
        }
    }
}
