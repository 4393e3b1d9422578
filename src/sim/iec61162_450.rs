//! IEC 61162-450: sentences in datagrams, each behind a TAG block that names its source and its line.
//!
//! Source: IEC 61162-450, 7.2 (`UdPbC`, TAG blocks, parameters s, n, g) and 4.3 (system function IDs); IEC 61162-1 for
//! the sentences.

use std::collections::BTreeMap;

use super::sentence::Spoken;

/// Opens every datagram of sentences.
pub(crate) const DATAGRAM_HEAD: &[u8] = b"UdPbC\0";

/// Line counts run from 1 to 999; group IDs from 1 to 99.
const LINES: u32 = 999;
const GROUPS: u32 = 99;

/// Numbers the lines of each source, and their groups.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tagger(BTreeMap<String, Numbers>);

#[derive(Clone, Copy, Debug, Default)]
struct Numbers {
    line: u32,
    group: u32,
}

impl Tagger {
    /// A sentence behind its TAG block.
    pub(crate) fn line(&mut self, spoken: &Spoken) -> Vec<u8> {
        let (number, total) = fragment(&spoken.sentence);
        let talker = spoken.sentence.get(1..3).unwrap_or("II");
        let numbers = self.0.entry(talker.to_owned()).or_default();
        numbers.line = numbers.line % LINES + 1;
        if total > 1 && number == 1 {
            numbers.group = numbers.group % GROUPS + 1;
        }
        let group = if total > 1 { format!("g:{number}-{total}-{},", numbers.group) } else { String::new() };
        let block = format!("{group}s:{talker}0001,n:{}", numbers.line);
        let checksum = block.bytes().fold(0, |sum, byte| sum ^ byte);
        format!("\\{block}*{checksum:02X}\\{}", spoken.sentence).into_bytes()
    }
}

/// Which of how many: what a VDM of several says of itself.
pub(crate) fn fragment(sentence: &str) -> (usize, usize) {
    let mut fields = sentence.split(',');
    match (fields.next(), fields.next(), fields.next()) {
        (Some("!AIVDM"), Some(total), Some(number)) => (number.parse().unwrap_or(1), total.parse().unwrap_or(1)),
        _ => (1, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(text: &str) -> Spoken {
        Spoken { sentence: text.to_owned(), readings: 1, maybe: 0, values: 0 }
    }

    #[test]
    fn each_sentence_has_its_source_its_line_and_a_checksum_and_fragments_share_a_group() {
        let mut tagger = Tagger::default();
        let said = ["$GPZDA,1", "!AIVDM,2,1,3,A,x,0", "!AIVDM,2,2,3,A,y,0"];
        let lines = said.map(|text| String::from_utf8(tagger.line(&spoken(text))).unwrap());
        // By hand: the XOR of `s:GP0001,n:1` is 16 hex.
        assert_eq!(lines[0], "\\s:GP0001,n:1*16\\$GPZDA,1");
        assert!(lines[1].starts_with("\\g:1-2-1,s:AI0001,n:1*"), "{}", lines[1]);
        assert!(lines[2].starts_with("\\g:2-2-1,s:AI0001,n:2*"), "{}", lines[2]);
    }

    #[test]
    fn line_counts_begin_again_at_one() {
        let mut tagger = Tagger::default();
        let mut number = || String::from_utf8(tagger.line(&spoken("$GPZDA,1"))).unwrap();
        let lines: Vec<String> = (0..1_000).map(|_| number()).collect();
        assert!(lines[998].contains("n:999*") && lines[999].contains("n:1*"));
    }
}
