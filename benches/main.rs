//! The figures that Hawser holds itself to, each beside a public peer that is measured in the same run.
//!
//! `make bench` runs all, `make bench ARGS="wire"` those whose name begins so. Prints a table and writes
//! `target/bench.jsonl`: an object a line, `{"name","value","unit","peer","peer_value"}`. Fails when readings get lost,
//! not when a goal is missed: a shared machine misses goals by itself. Nothing here is a test of behaviour.

mod gateway;
mod nmea2000;
mod process;
mod runner;
mod signalk;
mod store;
mod wire;

use std::process::ExitCode;

use runner::Figure;

/// A group of figures that are measured together: their names, and how.
type Group = (&'static [&'static str], fn() -> Vec<Figure>);

const GROUPS: &[Group] = &[
    (&["wire.nmea0183_sentences_per_s"], wire::nmea0183),
    (&["wire.ais_sentences_per_s"], wire::ais),
    (&["wire.nmea2000_frames_per_s"], nmea2000::frames),
    (&["store.take_in_readings_per_s", "store.bytes_per_reading"], store::take_in),
    (&["gateway.start_ms"], gateway::start),
    (&["gateway.idle_rss_mb", "gateway.idle_cpu_percent"], gateway::idle),
    (&["gateway.cpu_percent_1k_sentences"], gateway::load_of_sentences),
    (&["gateway.cpu_percent_at_10k", "gateway.rss_mb_at_10k"], gateway::load),
    (&["gateway.cpu_percent_at_10k_50_buses"], gateway::load_on_many_buses),
    (&["gateway.cpu_percent_at_10k_vessel"], gateway::load_of_vessel),
    (&["gateway.cpu_percent_at_10k_mqtt"], gateway::load_with_broker),
];

fn main() -> ExitCode {
    // Cargo adds flags of its own, as `--bench`.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |name: &&str| wanted.is_empty() || wanted.iter().any(|prefix| name.starts_with(prefix.as_str()));
    println!("load of the machine before: {}", runner::load());
    let groups = GROUPS.iter().filter(|(names, _)| names.iter().any(is_wanted));
    let figures: Vec<Figure> = groups.flat_map(|(_, measure)| measure()).filter(|f| is_wanted(&f.name)).collect();
    if figures.is_empty() {
        eprintln!("no figure begins with {wanted:?}");
        return ExitCode::from(2);
    }
    runner::print(&figures);
    match runner::keep(&figures) {
        Ok(path) => println!("kept in {}", path.display()),
        Err(error) => {
            eprintln!("the figures could not be kept: {error}");
            return ExitCode::FAILURE;
        }
    }
    if figures.iter().any(|figure| figure.failed.is_some()) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
