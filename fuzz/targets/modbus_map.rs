//! Any text as the map of a device; and a line of such devices, whatever they answer and whenever.

#![no_main]

use std::sync::OnceLock;

use hawser_fuzz::script::text_and_rest;
use hawser_fuzz::wire::modbus::map::BUILTIN;
use hawser_fuzz::wire::modbus::plan::plan;
use hawser_fuzz::wire::modbus::{
    Action, Answer, DeviceMap, Exception, Framing, LineOptions, Outcome, Poller, Refusal, UnitOptions,
};
use hawser_fuzz::{Script, Seen};
use libfuzzer_sys::fuzz_target;

/// Two devices of 512 values: a read of each, and the readings of one answer (125 of some 130 bytes).
const HELD_BYTES_MAX: usize = 512 * 1_024;

/// Steps of one input: enough for the longest map to be split to single values; more only make the fuzzer slow.
const STEPS_MAX: usize = 200;

/// Until a broken line is there again, at least.
const RECONNECT_MS: u64 = 1_000;

/// The maps that the gateway brings, read once.
fn builtin() -> &'static [DeviceMap] {
    static MAPS: OnceLock<Vec<DeviceMap>> = OnceLock::new();
    let read = |(name, text): &(&str, &str)| DeviceMap::parse(name, text).expect("built in");
    MAPS.get_or_init(|| BUILTIN.iter().map(read).collect())
}

fn check_plan(map: &DeviceMap) {
    let mut planned: Vec<usize> = Vec::new();
    for read in plan(map) {
        assert!((1..=read.request.table.count_max()).contains(&read.request.count), "{:?}", read.request);
        planned.extend(&read.values);
    }
    planned.sort_unstable();
    assert!(planned.into_iter().eq(0..map.values.len()), "each value in exactly one read");
}

/// Plays a line: each byte says how long the answer took and what it was; the bytes behind are its data.
fn poll(map: DeviceMap, framing: Framing, mut script: &[u8]) {
    let line = LineOptions { framing, baud: Some(9_600), timeout_ms: 500 };
    let unit = |unit| UnitOptions { unit, map: map.clone(), instance: "1".to_owned(), interval_ms: 1_000 };
    let (mut poller, mut seen, mut now_ms, mut asked) =
        (Poller::new(line, vec![unit(1), unit(7)], 0), Seen::default(), 0, 0);
    for _ in 0..STEPS_MAX {
        let Some((first, rest)) = script.split_first() else { break };
        script = rest;
        now_ms += Script::wait_ms(*first);
        let ask = match poller.next(now_ms) {
            Action::Wait { until_ms } => {
                assert!(until_ms > now_ms, "a wait for the past");
                now_ms = until_ms.min(now_ms + 1_000_000);
                continue;
            }
            Action::Ask(ask) => ask,
        };
        asked += 1;
        let mut data: Vec<u8> = rest.iter().copied().take(ask.request.data_bytes()).collect();
        data.resize(ask.request.data_bytes(), *first);
        let outcome = match first >> 3 & 7 {
            0 => {
                now_ms += ask.timeout_ms;
                Outcome::Refused(Refusal::Timeout)
            }
            1 => Outcome::Answer(Answer::Exception(Exception(rest.first().copied().unwrap_or(2) % 16))),
            2 => Outcome::Answer(Answer::Exception(Exception(2))),
            3 => {
                poller.line_broke();
                now_ms += RECONNECT_MS;
                continue;
            }
            _ => Outcome::Answer(Answer::Data(&data)),
        };
        poller.done(now_ms, f64::from(*first) / 256.0, outcome, &mut seen);
        assert!(poller.held_bytes() <= HELD_BYTES_MAX, "{} bytes held", poller.held_bytes());
    }
    assert!(seen.messages <= asked);
}

fuzz_target!(|input: &[u8]| {
    let Some((text, rest)) = text_and_rest(input) else { return };
    let Some((first, rest)) = rest.split_first() else { return };
    let parsed = DeviceMap::parse("map.toml", &String::from_utf8_lossy(text));
    let map = parsed.unwrap_or_else(|error| {
        drop(error.to_string());
        builtin()[usize::from(first >> 1) % BUILTIN.len()].clone()
    });
    check_plan(&map);
    poll(map, if first & 1 == 0 { Framing::Rtu } else { Framing::Tcp }, rest);
});
