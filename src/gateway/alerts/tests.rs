//! What devices say, decoded, against the records that come of it in a real store.

use super::*;
use crate::clock::Clock;
use crate::reading::{Quality, SeriesKey, SeriesRegistry};
use crate::wire::Decoded;
use crate::wire::can::testing::Counting;
use crate::wire::can::{Frame, FrameDecoder};
use crate::wire::{j1939, nmea0183};

struct Ship {
    _dir: tempfile::TempDir,
    registry: SeriesRegistry,
    keeper: Keeper,
}

impl Ship {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Stamp::from_millis(0));
        let (store, _) = RecordStore::open(dir.path(), "aurora", &clock, &Entropy::seeded(1)).unwrap();
        let keeper = Keeper::open(store, Entropy::seeded(1), Counter::default()).unwrap();
        Self { _dir: dir, registry: SeriesRegistry::default(), keeper }
    }

    /// The gateway starts again: what it knows is what the store has.
    fn restart(&mut self) {
        let refused = self.keeper.refused.clone();
        self.keeper = Keeper::open(self.keeper.store.clone(), Entropy::seeded(2), refused).unwrap();
    }

    async fn hear(&mut self, ms: i64, decoded: &[Decoded]) {
        let at = Stamp::from_millis(ms);
        let reading = |d: &Decoded| {
            let source = format!("bus.{}", d.source).into();
            let key = SeriesKey { context: d.context, path: d.path.clone(), source, instance: (&*d.instance).into() };
            let series = self.registry.series(&key).unwrap();
            Reading { series, observed_at: at, received_at: at, value: d.value.clone(), quality: Quality::Good }
        };
        let readings: Vec<_> = decoded.iter().map(reading).collect();
        self.keeper.batch(&readings).await;
    }

    async fn sentences(&mut self, ms: i64, lines: &[&str]) {
        let (mut decoder, mut out) = (nmea0183::Decoder::new(), Vec::new());
        for line in lines {
            let sum = line.bytes().fold(0, |sum, byte| sum ^ byte);
            decoder.decode(format!("${line}*{sum:02X}").as_bytes(), &mut out).map(drop).unwrap();
        }
        self.hear(ms, &out).await;
    }

    async fn frame(&mut self, decoder: &mut j1939::Decoder, ms: u32, data: &[u8]) {
        let mut sink = Counting::default();
        decoder.frame(&Frame::extended(0x18FE_CA00, data).unwrap(), ms.into(), &mut sink);
        self.hear(ms.into(), &sink.readings).await;
    }

    /// The field of all records that are open, sorted.
    fn open(&self, field: &str) -> Vec<String> {
        let all = self.records();
        let open = all.iter().filter(|record| record.fields.get("cleared_at").is_none_or(serde_json::Value::is_null));
        let text = |record: &Record| record.fields.get(field).map_or_else(String::new, |v| v.to_string());
        let mut texts: Vec<_> = open.map(text).collect();
        texts.sort();
        texts
    }

    fn records(&self) -> Vec<Record> {
        self.keeper.store.list(Collection::Alerts, Uuid::nil(), PAGE).unwrap()
    }
}

#[tokio::test]
async fn each_alert_of_a_source_has_its_own_record_also_after_a_restart() {
    let mut ship = Ship::new();
    let alarms = ["IIALR,120000.00,012,A,V,LOW OIL", "IIALR,120000.00,013,A,V,BILGE"];
    let alerts = ["IIALF,1,1,0,124304.50,A,W,A,,192,1,1,0,LOST TARGET", "IIALF,1,1,0,124304.50,A,E,A,,193,1,1,0,FIRE"];
    for _ in 0..2 {
        ship.sentences(0, &alarms).await;
        ship.sentences(0, &alerts).await;
        assert_eq!(ship.open("instance"), ["\"12\"", "\"13\"", "\"192.1\"", "\"193.1\""]);
        ship.restart();
    }
    ship.sentences(1_000, &["IIALR,120100.00,012,V,V,LOW OIL"]).await;
    ship.sentences(1_000, &["IIALF,1,1,0,124304.50,A,W,N,,192,1,1,0,LOST TARGET"]).await;
    assert_eq!(ship.open("title"), ["\"BILGE\"", "\"FIRE\""]);
    assert_eq!(ship.records().len(), 4);
}

#[tokio::test]
async fn an_alarm_that_is_back_in_a_moment_has_a_record_that_is_open() {
    let mut ship = Ship::new();
    let (on, off) = (["IIALR,120000.00,012,A,V,OIL"], ["IIALR,120000.00,012,V,V,OIL"]);
    for second in 0..10 {
        ship.sentences(second * 2_000, &on).await;
        assert_eq!(ship.open("title"), ["\"OIL\""], "{second}");
        ship.sentences(second * 2_000 + 1_000, &off).await;
    }
    assert_eq!(ship.records().len(), 1);
    assert_eq!(ship.open("title").len(), 1, "held");
    ship.sentences(62_000, &["GPHDT,1.0,T"]).await;
    assert_eq!(ship.open("title").len(), 0, "it settled");
}

#[tokio::test]
async fn what_the_device_acknowledges_is_acknowledged() {
    let mut ship = Ship::new();
    ship.sentences(0, &["IIALR,120000.00,012,A,V,OIL"]).await;
    assert_eq!(ship.open("acknowledged"), [""]);
    ship.sentences(1_000, &["IIALR,120000.00,012,A,A,OIL"]).await;
    assert_eq!(ship.open("acknowledged"), ["true"]);
}

#[tokio::test]
async fn a_trouble_code_that_went_while_the_gateway_was_down_is_closed() {
    let mut ship = Ship::new();
    let two = [4, 0xFF, 100, 0, 1, 5];
    let other = [4, 0xFF, 110, 0, 0, 5];
    let mut decoder = j1939::Decoder::new();
    ship.frame(&mut decoder, 0, &two).await;
    assert_eq!(ship.open("spn"), ["100"]);
    ship.restart();
    ship.frame(&mut j1939::Decoder::new(), 1_000, &other).await;
    assert_eq!(ship.open("spn"), ["110"]);
    ship.restart();
    ship.frame(&mut j1939::Decoder::new(), 2_000, &other).await;
    assert_eq!((ship.open("spn"), ship.records().len()), (vec!["110".to_owned()], 2));
    ship.restart();
    ship.frame(&mut j1939::Decoder::new(), 3_000, &[0, 0xFF, 0, 0, 0, 0]).await;
    assert_eq!(ship.open("spn"), [""; 0]);
}

#[tokio::test]
async fn how_often_a_code_occurred_is_told_when_it_settled() {
    let mut ship = Ship::new();
    let mut decoder = j1939::Decoder::new();
    for (ms, count) in [(0, 1), (1_000, 2), (61_000, 3)] {
        ship.frame(&mut decoder, ms, &[4, 0xFF, 100, 0, 1, count]).await;
        assert_eq!(ship.open("count"), [if ms < 60_000 { "1" } else { "3" }]);
    }
    ship.restart();
    let before = ship.records();
    ship.frame(&mut j1939::Decoder::new(), 130_000, &[4, 0xFF, 100, 0, 1, 3]).await;
    assert_eq!(ship.records(), before, "nothing new");
}

#[tokio::test]
async fn an_alarm_without_room_is_counted_each_time_and_told_once() {
    let mut ship = Ship::new();
    let alarm = |number: usize, state: char| format!("IIALR,120000.00,{number:03},{state},V,OIL");
    for number in 0..OPEN_MAX {
        ship.sentences(0, &[&alarm(number, 'A')]).await;
    }
    for _ in 0..3 {
        ship.sentences(1_000, &[&alarm(OPEN_MAX, 'A')]).await;
    }
    assert_eq!((ship.keeper.refused.get(), ship.keeper.full), (3, true));
    ship.sentences(2_000, &[&alarm(0, 'V'), &alarm(OPEN_MAX, 'A')]).await;
    assert_eq!((ship.keeper.refused.get(), ship.keeper.full), (3, false));
}
