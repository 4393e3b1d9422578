//! Measures, keeps and prints figures. It refuses to be a statistics package: the median of a few repeats, beside a
//! goal and a peer that was measured in the same run.
//!
//! Processor time, not wall time, wherever the work is one thread's: a machine shared with others then tells the same.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// As in readings a second.
    Higher,
    /// As in megabytes.
    Lower,
}

/// What was measured on the other side.
#[derive(Clone, Debug)]
pub struct Peer {
    /// A public program or library.
    pub name: &'static str,
    /// Its value; `None`: it could not be had in this run.
    pub value: Option<f64>,
}

/// One figure.
#[derive(Clone, Debug)]
pub struct Figure {
    /// As `wire.nmea0183_sentences_per_s`.
    pub name: &'static str,
    /// The median.
    pub value: f64,
    /// As `MB`.
    pub unit: &'static str,
    /// Which way is better.
    pub better: Better,
    /// What it should be.
    pub goal: Option<f64>,
    /// Beside whom.
    pub peer: Option<Peer>,
    /// What a reader must know to understand the two values; one line.
    pub note: String,
    /// Why the whole run fails: something was lost.
    pub failed: Option<String>,
}

impl Figure {
    /// A figure without goal or peer.
    pub fn new(name: &'static str, value: f64, unit: &'static str, better: Better, note: String) -> Self {
        Self { name, value, unit, better, goal: None, peer: None, note, failed: None }
    }

    /// With what it should be.
    pub fn goal(self, goal: f64) -> Self {
        Self { goal: Some(goal), ..self }
    }

    /// With the peer.
    pub fn beside(self, name: &'static str, value: Option<f64>) -> Self {
        Self { peer: Some(Peer { name, value }), ..self }
    }

    fn verdict(&self) -> &'static str {
        match (self.goal, self.better) {
            (None, _) => "",
            (Some(goal), Better::Higher) if self.value >= goal => "met",
            (Some(goal), Better::Lower) if self.value <= goal => "met",
            _ => "MISSED",
        }
    }

    fn row(&self) -> String {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), short);
        let peer = self.peer.as_ref();
        let ratio = peer.and_then(|peer| peer.value).map(|peer| self.value / peer);
        format!(
            "{:<38} {:>9} {:<12} {:>7} {:<6} {:<17} {:>9} {:>6}",
            self.name,
            short(self.value),
            self.unit,
            number(self.goal),
            self.verdict(),
            peer.map_or("-", |peer| peer.name),
            number(peer.and_then(|peer| peer.value)),
            ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}x")),
        )
    }

    /// A line of `bench.jsonl`.
    fn json(&self) -> String {
        serde_json::json!({
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "peer": self.peer.as_ref().map(|peer| peer.name),
            "peer_value": self.peer.as_ref().and_then(|peer| peer.value),
        })
        .to_string()
    }
}

/// Three digits are more than a shared machine can tell.
fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 1e6 => format!("{:.2} M", value / 1e6),
        v if v >= 1e4 => format!("{:.0} k", value / 1e3),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Prints the table, and what it takes to read it.
pub fn print(figures: &[Figure]) {
    println!(
        "\n{:<38} {:>9} {:<12} {:>7} {:<6} {:<17} {:>9} {:>6}",
        "figure", "value", "unit", "goal", "", "peer", "peer", "ratio"
    );
    figures.iter().for_each(|figure| println!("{}", figure.row()));
    println!();
    for Figure { name, note, failed, .. } in figures {
        println!("{name}: {note}");
        if let Some(why) = failed {
            println!("{name}: FAILED: {why}");
        }
    }
    println!("load of the machine now: {}", load());
}

/// Writes `bench.jsonl`; returns where.
pub fn keep(figures: &[Figure]) -> std::io::Result<PathBuf> {
    let path = target_dir().join("bench.jsonl");
    let mut file = File::create(&path)?;
    figures.iter().try_for_each(|figure| writeln!(file, "{}", figure.json()))?;
    Ok(path)
}

/// Averages of 1, 5 and 15 minutes.
pub fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Where cargo builds: `CARGO_TARGET_TMPDIR` is a directory in it.
pub fn target_dir() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is inside the target directory")
}

/// A directory that goes away with its value, on the disk that the tree is on: /tmp may be memory.
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("cargo made the directory")
}

/// Says what takes its time.
pub fn progress(what: &str) {
    eprintln!("bench: {what}");
}

/// Time spent on work, seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// Of this thread on a processor, CLOCK_THREAD_CPUTIME_ID.
    pub cpu_s: f64,
    /// Of everybody.
    pub wall_s: f64,
}

impl std::ops::AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        self.cpu_s += other.cpu_s;
        self.wall_s += other.wall_s;
    }
}

/// Runs `work` on this thread.
pub fn measure<T>(work: impl FnOnce() -> T) -> (Spent, T) {
    let (cpu, wall) = (thread_cpu(), Instant::now());
    let result = work();
    (Spent { cpu_s: (thread_cpu() - cpu).as_secs_f64(), wall_s: wall.elapsed().as_secs_f64() }, result)
}

fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("Linux has this clock").into()
}

/// The middle one; of an even number the upper of the two.
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The medians of processor and wall time, each on its own.
pub fn median_spent(all: &[Spent]) -> Spent {
    let of = |part: fn(&Spent) -> f64| median(&all.iter().map(part).collect::<Vec<_>>());
    Spent { cpu_s: of(|spent| spent.cpu_s), wall_s: of(|spent| spent.wall_s) }
}
