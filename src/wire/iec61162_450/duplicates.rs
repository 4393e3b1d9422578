//! Lines that came a moment ago. Bounded: a table of a fixed size, in which a new line takes an old one's place; at
//! worst a duplicate is let pass.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Lines remembered: one second of a busy network (1,000 lines a second).
const SLOTS: usize = 1_024;

/// How far two networks may lie apart for a line with a number or a time, which does not come again by itself.
/// Numbers run around after 999 lines, which the busiest source needs a second for.
const NUMBERED_MS_MAX: u64 = 500;

/// The same for a line that nothing tells from the next: half the time between two sentences of the fastest instrument
/// (50 a second). What is taken for a duplicate wrongly says the very same, a moment later.
const BARE_MS_MAX: u64 = 10;

/// The lines of the last moments, by their hash.
#[derive(Debug)]
pub struct Recent(Vec<Option<(u64, u64)>>);

impl Default for Recent {
    fn default() -> Self {
        Self(vec![None; SLOTS])
    }
}

impl Recent {
    /// What it holds, always.
    pub const BYTES: usize = SLOTS * size_of::<Option<(u64, u64)>>();

    /// Whether this line came a moment ago; from now on it did.
    pub fn is_repeated(&mut self, line: &[u8], numbered: bool, mono_ms: u64) -> bool {
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        let hash = hasher.finish();
        let slot = &mut self.0[usize::try_from(hash % SLOTS as u64).unwrap_or(0)];
        let apart_ms_max = if numbered { NUMBERED_MS_MAX } else { BARE_MS_MAX };
        let repeated = slot.is_some_and(|(known, at)| known == hash && mono_ms.saturating_sub(at) <= apart_ms_max);
        if !repeated {
            *slot = Some((hash, mono_ms));
        }
        repeated
    }
}
