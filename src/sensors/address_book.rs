//! Who held which address of a CAN bus, kept over a restart of the gateway.
//!
//! Devices claim their addresses once, when they are switched on, and we only listen: without a book every device would
//! be a bare address after each restart, and its series another one, until somebody asks all for their claims. What is
//! heard on the bus replaces what stands in the book. It is written when it changed, at most once a minute, so that a
//! bus full of claims (canboatjs saw storms of them) does not wear the disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::durable_file;
use crate::wire::SourceInfo;
use crate::wire::can::names::{ADDRESS_CLAIM, ADDRESSES};
use crate::wire::can::{FrameDecoder, Identifier, Message};
use crate::wire::{Decoded, Sink};

/// The folder of the books in the data directory, a file a bus.
pub const ADDRESSES_DIR: &str = "addresses";

/// The least time between two writes.
const WRITE_INTERVAL_MIN_MS: u64 = 60_000;

/// The longest book: 254 addresses of some 30 bytes.
const BOOK_BYTES_MAX: u64 = 16 << 10;

/// NAMEs by their address.
type Claims = BTreeMap<u8, u64>;

/// The book of one bus.
#[derive(Debug)]
pub(crate) struct AddressBook {
    dir: Option<PathBuf>,
    bus: String,
    claims: Claims,
    written_ms: Option<u64>,
    /// The last write failed.
    failed: bool,
}

impl AddressBook {
    /// The book of `bus` below `data_dir`; without one nothing is kept. A book that cannot be read is empty.
    pub(crate) fn open(data_dir: Option<&Path>, bus: &str) -> Self {
        let dir = data_dir.map(|dir| dir.join(ADDRESSES_DIR));
        let claims = dir.as_ref().map_or_else(Claims::new, |dir| read(&dir.join(file_name(bus))));
        Self { dir, bus: bus.to_owned(), claims, written_ms: None, failed: false }
    }

    /// Tells a new decoder what is known.
    pub(crate) fn tell(&self, decoder: &mut dyn FrameDecoder) {
        for (address, name) in &self.claims {
            let identifier = Identifier { priority: 6, pgn: ADDRESS_CLAIM, source: *address, destination: 255 };
            let payload = name.to_le_bytes();
            decoder.message(&Message { identifier, payload: &payload, at: None }, 0, &mut Nobody);
        }
    }

    /// Takes what a decoder knows now. Returns what is to be written, when something changed and it is time.
    pub(crate) fn take(&mut self, sources: &[SourceInfo], mono_ms: u64) -> Option<Page> {
        let dir = self.dir.clone()?;
        let claims: Claims = sources.iter().filter_map(claim).collect();
        let is_due = self.written_ms.is_none_or(|ms| mono_ms.saturating_sub(ms) >= WRITE_INTERVAL_MIN_MS);
        // An empty one is no news: nobody was heard yet.
        if claims.is_empty() || (claims == self.claims && !self.failed) || !is_due {
            return None;
        }
        self.written_ms = Some(mono_ms);
        self.claims.clone_from(&claims);
        Some(Page { dir, name: file_name(&self.bus), claims })
    }

    /// A page was written, or not: then it is due again. Whether this failure is the first.
    pub(crate) fn written(&mut self, is_written: bool) -> bool {
        !std::mem::replace(&mut self.failed, !is_written) && !is_written
    }
}

/// A book to be written.
#[derive(Debug)]
pub(crate) struct Page {
    dir: PathBuf,
    name: String,
    claims: Claims,
}

impl Page {
    /// Writes it. Blocking.
    pub(crate) fn write(&self) -> std::io::Result<()> {
        let texts: BTreeMap<String, String> =
            self.claims.iter().map(|(address, name)| (address.to_string(), format!("{name:016x}"))).collect();
        let json = serde_json::to_vec_pretty(&texts).map_err(std::io::Error::other)?;
        std::fs::create_dir_all(&self.dir)?;
        durable_file::write(&self.dir, &self.name, &json, 0o644)
    }
}

/// Takes nothing: what a claim of old tells is no news.
struct Nobody;

impl Sink for Nobody {
    fn message(&mut self, readings: &mut Vec<Decoded>) {
        readings.clear();
    }

    fn dropped(&mut self, _: &'static str, _: u64, _: &dyn std::fmt::Display, _: &[u8]) {}
}

/// The name of a bus is letters, digits, `-` and `_`: a file's name as it is.
fn file_name(bus: &str) -> String {
    format!("{bus}.json")
}

fn claim(info: &SourceInfo) -> Option<(u8, u64)> {
    let name = u64::from_str_radix(&info.source, 16).ok().filter(|_| info.source.len() == 16)?;
    let address = info.address.filter(|address| usize::from(*address) < ADDRESSES)?;
    Some((address, name))
}

fn read(path: &Path) -> Claims {
    let is_small = std::fs::metadata(path).is_ok_and(|meta| meta.len() <= BOOK_BYTES_MAX);
    let text = if is_small { std::fs::read(path).unwrap_or_default() } else { Vec::new() };
    let texts: BTreeMap<String, String> = serde_json::from_slice(&text).unwrap_or_default();
    let entry = |(address, name): (&String, &String)| {
        let address = address.parse().ok().filter(|at: &u8| usize::from(*at) < ADDRESSES)?;
        Some((address, u64::from_str_radix(name, 16).ok()?))
    };
    texts.iter().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::nmea2000;

    const NAME: u64 = 0xC078_8C00_E7E0_4312;

    fn heard(decoder: &nmea2000::Decoder) -> Vec<SourceInfo> {
        decoder.sources()
    }

    #[test]
    fn a_device_is_known_by_its_name_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let mut book = AddressBook::open(Some(dir.path()), "n2k");
        let mut decoder = nmea2000::Decoder::new();
        assert!(book.take(&heard(&decoder), 0).is_none(), "nobody was heard");
        let identifier = Identifier { priority: 6, pgn: ADDRESS_CLAIM, source: 35, destination: 255 };
        decoder.message(&Message { identifier, payload: &NAME.to_le_bytes(), at: None }, 0, &mut Nobody);
        book.take(&heard(&decoder), 0).expect("a new device").write().unwrap();
        assert!(book.take(&heard(&decoder), 120_000).is_none(), "nothing new");
        let mut restarted = nmea2000::Decoder::new();
        AddressBook::open(Some(dir.path()), "n2k").tell(&mut restarted);
        let known = heard(&restarted);
        assert_eq!((known[0].source.as_str(), known[0].address), ("c0788c00e7e04312", Some(35)));
        std::fs::write(dir.path().join(ADDRESSES_DIR).join("n2k.json"), "{\"300\":1").unwrap();
        assert!(AddressBook::open(Some(dir.path()), "n2k").claims.is_empty());
    }

    #[test]
    fn a_storm_of_claims_is_written_once_a_minute() {
        let dir = tempfile::tempdir().unwrap();
        let mut book = AddressBook::open(Some(dir.path()), "n2k");
        let info =
            |address| SourceInfo { source: format!("{NAME:016x}"), address: Some(address), ..SourceInfo::default() };
        let written = (0..120u8).filter(|second| book.take(&[info(*second)], u64::from(*second) * 1_000).is_some());
        assert_eq!(written.count(), 2);
        assert!(book.take(&[info(119)], 180_000).is_some());
        assert!(book.written(false) && !book.written(false), "the disk is full, which is told once");
        assert!(
            book.take(&[info(119)], 239_999).is_none() && book.take(&[info(119)], 240_000).is_some(),
            "tried again"
        );
        assert!(!book.written(true) && book.take(&[info(119)], 300_000).is_none());
        assert!(AddressBook::open(None, "n2k").take(&[info(1)], 0).is_none(), "no directory, no book");
    }
}
