//! Eight characters abreast in the lanes of one `u64`: where some stand, what their exclusive or is, what number they
//! make.
//!
//! A sentence has some 45 characters, and each is looked at four times: for the end of the line, the checksum, the
//! commas, the values. One by one that costs a nanosecond for every two characters; abreast a fifth of it, and no
//! branch depends on how long a field is, which nobody can foresee. Additions never carry from one lane into the next:
//! the highest bit of each lane is put aside first. That bit is also what a lane is marked by.

/// Characters in a word.
pub const LANES: usize = 8;

/// The highest bit of each lane.
const MARK: u64 = all(0x80);

/// All others.
const LOW: u64 = !MARK;

/// `character` in every lane.
pub const fn all(character: u8) -> u64 {
    u64::from_le_bytes([character; LANES])
}

/// Marks the lanes that hold `character`.
#[inline]
pub const fn equal(word: u64, character: u8) -> u64 {
    let differing = word ^ all(character);
    !(((differing & LOW) + LOW) | differing) & MARK
}

/// Marks the lanes that hold what opens or closes a line: control characters, DEL and all above it, `$`, `!` and `\`.
#[inline]
pub const fn special(word: u64) -> u64 {
    let low = word & LOW;
    // Each sum carries into the mark unless the lane is below 20 (hex), respectively equal to the character.
    let ordinary =
        (low + all(0x80 - b' ')) & ((low ^ all(b'$')) + LOW) & ((low ^ all(b'!')) + LOW) & ((low ^ all(b'\\')) + LOW);
    // DEL is the only one that carries when 1 is added.
    (!ordinary | (low + all(1)) | word) & MARK
}

/// The place of the first character that `mark` marks.
#[inline]
pub fn position(text: &[u8], mark: impl Fn(u64) -> u64) -> Option<usize> {
    let (words, tail) = text.as_chunks::<LANES>();
    for (nth, word) in words.iter().enumerate() {
        let marks = mark(u64::from_le_bytes(*word));
        if marks != 0 {
            return Some(nth * LANES + first(marks));
        }
    }
    tail.iter().position(|character| mark(u64::from(*character)) & 0x80 != 0).map(|at| words.len() * LANES + at)
}

/// Hands out the place of each `character`, in order. The marks of 64 characters are gathered first: a loop for each
/// word would end sooner or later than foreseen, each time at the price of ten characters.
#[inline]
pub fn each(text: &[u8], character: u8, mut take: impl FnMut(usize)) {
    for (nth, block) in text.chunks(64).enumerate() {
        let words = block.as_chunks::<LANES>().0;
        // A full block has no rest, and no place for its marks.
        let last = gathered(equal(rest(block), character)).checked_shl(block.len() as u32 / 8 * 8).unwrap_or(0);
        let mut marks = words
            .iter()
            .rev()
            .fold(0, |marks, word| marks << 8 | gathered(equal(u64::from_le_bytes(*word), character)))
            | last;
        while marks != 0 {
            take(nth * 64 + marks.trailing_zeros() as usize);
            marks &= marks - 1;
        }
    }
}

/// The marks of eight lanes as eight bits, the first lane's lowest.
const fn gathered(marks: u64) -> u64 {
    (marks >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// The exclusive or of all characters.
#[inline]
pub fn checksum(text: &[u8]) -> u8 {
    let all = text.as_chunks::<LANES>().0.iter().fold(rest(text), |sum, word| sum ^ u64::from_le_bytes(*word));
    let all = all ^ all >> 32;
    let all = all ^ all >> 16;
    (all ^ all >> 8).to_le_bytes()[0]
}

/// The number that eight digits make, the first in the lowest lane; `None` when one is no digit.
#[inline]
pub fn decimal(digits: u64) -> Option<u32> {
    let values = digits ^ all(b'0');
    if (((values & LOW) + all(0x80 - 10)) | values) & MARK != 0 {
        return None;
    }
    // Neighbours make pairs, pairs of pairs fours, and those the whole; each step weighs half of the lanes.
    let pairs = (values * 10 + (values >> 8)) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_FFFF_0000_FFFF;
    Some((fours * 10_000 + (fours >> 32)) as u32)
}

/// The number that the first `count` characters make, of one to eight; `None` when one is no digit.
#[inline]
pub fn leading(word: u64, count: usize) -> Option<u32> {
    let unused = 8 * LANES.checked_sub(count)? as u32;
    // To the top lanes, zeros in front.
    decimal(word.checked_shl(unused)? | all(b'0').checked_shr(64 - unused).unwrap_or(0))
}

/// The 48 bits of eight characters of the six-bit armour (IEC 61162-1, table of six-bit fields), the first in front;
/// `None` when one is not in it: it has 30 to 57 and 60 to 77 (hex).
#[inline]
pub fn six_bits(word: u64) -> Option<u64> {
    let at_least = |character: u8| (word & LOW) + all(0x80 - character);
    let (first, gap, second, end) = (at_least(0x30), at_least(0x58), at_least(0x60), at_least(0x78));
    if (!first | gap & !second | end | word) & MARK != 0 {
        return None;
    }
    let six = word - all(0x30) - ((second & MARK) >> 4);
    let twelve = (six & 0x00FF_00FF_00FF_00FF) << 6 | six >> 8 & 0x00FF_00FF_00FF_00FF;
    let four_and_twenty = (twelve & 0x0000_FFFF_0000_FFFF) << 12 | twelve >> 16 & 0x0000_FFFF_0000_FFFF;
    Some((four_and_twenty & 0xFFFF_FFFF) << 24 | four_and_twenty >> 32)
}

/// The lane of the first mark.
pub const fn first(marks: u64) -> usize {
    marks.trailing_zeros() as usize / 8
}

/// The characters behind the last whole word, zeros behind them.
#[inline]
fn rest(text: &[u8]) -> u64 {
    let count = text.len() % LANES;
    match text.last_chunk::<LANES>() {
        // The whole word that ends with them, without those in front of them.
        Some(last) => u64::from_le_bytes(*last) >> (8 * (LANES - count) - 1) >> 1,
        None => text.iter().rev().fold(0, |word, character| word << 8 | u64::from(*character)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Characters that mean something to somebody, and any others.
    fn any_character() -> impl Strategy<Value = u8> {
        prop_oneof![Just(b','), Just(b'$'), Just(b'\r'), b'0'..=b'9', any::<u8>()]
    }

    fn is_special(character: u8) -> bool {
        !matches!(character, 0x20..=0x7E) || matches!(character, b'$' | b'!' | b'\\')
    }

    #[test]
    fn every_character_is_judged_in_every_lane() {
        for character in 0..=u8::MAX {
            for lane in 0..LANES {
                let mut text = [b'0'; LANES];
                text[lane] = character;
                let mark = |marked: bool| if marked { 0x80 << (8 * lane) } else { 0 };
                let word = u64::from_le_bytes(text);
                assert_eq!(special(word), mark(is_special(character)), "{character} in {lane}");
                assert_eq!(equal(word, b','), mark(character == b','), "{character} in {lane}");
                assert_eq!(decimal(word).is_some(), character.is_ascii_digit(), "{character} in {lane}");
                let armour = matches!(character, 0x30..=0x57 | 0x60..=0x77);
                assert_eq!(six_bits(word).is_some(), armour, "{character} in {lane}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_done_abreast_is_what_is_done_one_by_one(
            text in proptest::collection::vec(any_character(), 0..200),
        ) {
            prop_assert_eq!(position(&text, special), text.iter().position(|c| is_special(*c)));
            prop_assert_eq!(checksum(&text), text.iter().fold(0, |sum, c| sum ^ c));
            let mut commas = Vec::new();
            each(&text, b',', |at| commas.push(at));
            let one_by_one: Vec<_> = (0..text.len()).filter(|at| text[*at] == b',').collect();
            prop_assert_eq!(commas, one_by_one);
        }

        #[test]
        fn digits_make_their_number(number in 0_u32..100_000_000, count in 1_usize..=8) {
            let text = format!("{number:08}");
            let word = u64::from_le_bytes(text.as_bytes().try_into().unwrap());
            prop_assert_eq!(decimal(word), Some(number));
            prop_assert_eq!(leading(word, count), text[..count].parse().ok());
        }
    }
}
