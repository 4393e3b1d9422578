//! The command line: what can be asked, and how a failure is told. Nothing here does the work.

pub mod logging;
pub mod probe;
pub mod remote;
pub mod serve;
pub mod tools;
pub mod update;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{ArgPredicate, PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use hawser::config::ConfigErrors;
use hawser::decode::Format;

/// Exit code of a configuration that is refused.
const EXIT_CONFIG: u8 = 2;

/// Exit code of options that do not go together; clap has the same for those that it refuses.
const EXIT_USAGE: u8 = 2;

/// The firmware of a vessel's edge gateway.
#[derive(Debug, Parser)]
#[command(name = "hawser", version, arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    /// Say more; twice: say everything. HAWSER_LOG takes a tracing filter.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the daemon on board: sensors in, database, pages, brokers, shore.
    Gateway(ServeArgs),
    /// Run the server ashore.
    Shore(ServeArgs),
    /// Run a simulated vessel, a gateway and a shore, here and now.
    Demo(DemoArgs),
    /// Speak like a vessel's instruments.
    Sim(SimArgs),
    /// Play a captured log at its own pace, or faster.
    Replay(ReplayArgs),
    /// Decode a capture with the gateway's own decoders, JSON lines out.
    Decode(DecodeArgs),
    /// Look at a wire and print what is on it as configuration.
    Probe(probe::ProbeArgs),
    /// List the Modbus register maps that are built in, print or check one.
    Devices(probe::DevicesArgs),
    /// Check a configuration and show where each value comes from.
    Check(CheckArgs),
    /// Draw a token for a vessel and print its hash for the shore's configuration.
    Token,
    /// Ask a running gateway how it is.
    Status(RemoteArgs),
    /// Ask a running gateway, or a data directory, for readings of the past.
    Query(QueryArgs),
    /// Tell a running gateway to prune now, or show what would go.
    Prune(remote::Gateway),
    /// Look for, install, start or take back a version of the box's system.
    Update(update::UpdateArgs),
    /// Print the completions of a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// `hawser gateway`, `hawser shore`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The configuration; without it defaults and environment count.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the pages and the API listen (http.listen).
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// The data directory (data.dir).
    #[arg(long, value_name = "DIRECTORY")]
    pub data_dir: Option<String>,
}

/// `hawser demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Stop by itself after this long, as in 30s, 5m, 2h.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub duration: Option<std::time::Duration>,
    /// The page on board.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The shore's page.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8090")]
    pub shore_listen: SocketAddr,
    /// Where all state is; emptied at the start when it is a demo's. No other is touched.
    #[arg(long, value_name = "DIRECTORY", default_value = "target/demo")]
    pub dir: PathBuf,
    /// The same seed gives the same voyage.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Have the simulator claim so many readings that it never told: each must show as lost.
    #[arg(long, default_value_t = 0, hide = true)]
    pub lose: u64,
}

/// `hawser sim`.
#[derive(Debug, Args)]
#[command(after_help = SIM_HELP)]
pub struct SimArgs {
    /// What to speak and where; several times for several buses. Without a protocol it is nmea0183.
    #[arg(long, value_name = "[PROTOCOL=]ADDRESS", default_value = "tcp://127.0.0.1:10110")]
    pub output: Vec<hawser::sim::Channel>,
    /// The same seed gives the same voyage, with the same faults.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Let this fault happen with this probability in each second; several times for several faults.
    #[arg(long, value_name = "NAME=P")]
    pub fault: Vec<hawser::sim::Fault>,
    /// So many devices for load in place of the vessel, over the outputs of nmea0183.
    #[arg(long, default_value_t = 0)]
    pub devices: u32,
    /// Readings a second of each device.
    #[arg(long, default_value_t = 1.0)]
    pub rate_hz: f64,
}

/// What outputs and faults there are.
const SIM_HELP: &str = "\
Protocols: nmea0183, iec61162-450, and nmea2000 or j1939 as +ydwg (Yacht Devices RAW), +candump,
+actisense (NGT-1), or alone for a CAN interface; can (configs/dbc/battery-monitor.dbc) as +candump
or alone; modbus answers, over TCP or as RTU on a line.
Addresses: tcp://ADDRESS:PORT (listens), udp://ADDRESS:PORT (sends; @ADDRESS of ours behind it
chooses the interface), serial:DEVICE[@BAUD], pty, pty:LINK, can:INTERFACE, stdout.
Faults: garbage, half, endless_line, flood, duplicate, reorder, stuck, not_available, out_of_range,
time_back, week_rollover, address_churn, unplug. An answer of modbus can have garbage, half, flood
(another unit's before it), reorder (it is late), not_available (an exception), address_churn
(another unit id), unplug (there is none).

  hawser sim --output nmea0183=pty:gps --output nmea2000+ydwg=tcp://127.0.0.1:1457
  hawser sim --output iec61162-450=udp://239.192.0.1:60001 --fault garbage=0.05";

/// `hawser replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The log.
    pub file: PathBuf,
    /// Where to: `tcp://host:port` or `udp://host:port`.
    #[arg(long, value_name = "TARGET")]
    pub into: String,
    /// Wait on the TCP address for a client: a gateway connects to its instruments.
    #[arg(long)]
    pub listen: bool,
    /// How many times the log's own pace, or `max`.
    #[arg(long, default_value = "1")]
    pub speed: hawser::replay::Speed,
}

/// `hawser decode`.
#[derive(Debug, Args)]
pub struct DecodeArgs {
    /// What the capture holds.
    #[arg(long, value_parser = formats())]
    pub format: Format,
    /// What its CAN frames mean, where it holds any.
    #[arg(long, value_enum, default_value = "nmea2000", default_value_if("dbc", ArgPredicate::IsPresent, "dbc"))]
    pub protocol: Protocol,
    /// The DBC that describes its CAN frames.
    #[arg(long, value_name = "FILE", required_if_eq("protocol", "dbc"))]
    pub dbc: Option<PathBuf>,
    /// Print messages with their named fields, not readings.
    #[arg(long)]
    pub raw: bool,
    /// Refuse sentences without a checksum.
    #[arg(long)]
    pub strict: bool,
    /// The capture; `-` is standard input.
    pub file: PathBuf,
}

/// Formats of captures, and what the help says of them.
const FORMATS: [(Format, &str); 9] = [
    (Format::Nmea0183, "NMEA 0183 (IEC 61162-1) sentences, AIS among them"),
    (Format::Candump, "CAN: candump's log or console"),
    (Format::Canboat, "CAN: canboat's PLAIN and FAST lines"),
    (Format::Ydwg, "CAN: Yacht Devices RAW"),
    (Format::Actisense, "CAN: Actisense's binary stream, EBL log or N2K ASCII"),
    (Format::PcanView, "CAN: a PCAN-View trace"),
    (Format::Pcap, "A pcap or pcapng capture: CAN frames, and sentences in UDP and TCP"),
    (Format::Iec61162_450, "A capture of IEC 61162-450 datagrams"),
    (Format::ModbusPcap, "A capture of Modbus TCP: its messages, whether `--raw` or not"),
];

fn formats() -> impl TypedValueParser<Value = Format> {
    let named = |name: String| FORMATS.into_iter().find(|(format, _)| format.name() == name);
    PossibleValuesParser::new(FORMATS.map(|(format, help)| PossibleValue::new(format.name()).help(help)))
        .map(move |name| named(name).expect("it is one of the possible values").0)
}

/// Protocols over CAN.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Protocol {
    /// NMEA 2000.
    Nmea2000,
    /// SAE J1939.
    J1939,
    /// Any, as a DBC describes it (`--dbc`).
    Dbc,
}

/// `hawser check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The configuration.
    pub config: PathBuf,
    /// It is the shore's; else it is told by its sections.
    #[arg(long)]
    pub shore: bool,
}

/// Verbs that speak to a running gateway.
#[derive(Debug, Args)]
pub struct RemoteArgs {
    /// The gateway.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `hawser query`.
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// Signal K path, as navigation.speedOverGround; a `*` at the end takes all below.
    #[arg(long, default_value = "*")]
    pub path: String,
    /// Exact source, as bridge.GP.
    #[arg(long)]
    pub source: Option<String>,
    /// Not observed before, as 2026-11-21T06:41:00Z.
    #[arg(long, value_parser = hawser::clock::Stamp::parse)]
    pub from: Option<hawser::clock::Stamp>,
    /// Observed before.
    #[arg(long, value_parser = hawser::clock::Stamp::parse)]
    pub to: Option<hawser::clock::Stamp>,
    /// At most so many readings.
    #[arg(long, default_value_t = 1_000)]
    pub limit: usize,
    /// The gateway's data directory; a running gateway does not mind.
    #[arg(long, value_name = "DIRECTORY", default_value = "/var/lib/hawser")]
    pub data_dir: PathBuf,
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    let refused = || format!("`{text}` is not a time like 30s, 5m or 2h");
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let number: u64 = number.parse().map_err(|_| refused())?;
    let seconds = match unit {
        "s" | "" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(refused()),
    };
    Ok(std::time::Duration::from_secs(number.saturating_mul(seconds)))
}

/// Why a verb failed.
#[derive(Debug)]
pub enum Failure {
    /// The configuration is refused.
    Config(ConfigErrors),
    /// It was asked for what cannot be.
    Usage(String),
    /// Anything else, with its chain of causes.
    Other(Box<dyn std::error::Error>),
}

impl Failure {
    /// Tells it once, on standard error, with its chain.
    pub fn report(self) -> ExitCode {
        match self {
            Self::Config(errors) => {
                eprintln!("{errors}");
                ExitCode::from(EXIT_CONFIG)
            }
            Self::Usage(problem) => {
                eprintln!("hawser: {problem}");
                ExitCode::from(EXIT_USAGE)
            }
            Self::Other(error) => {
                let mut told = error.to_string();
                let mut cause = error.source();
                while let Some(next) = cause {
                    // Many an error names its cause where it belongs in the sentence.
                    let why = next.to_string();
                    if !told.contains(&why) {
                        told = format!("{told}: {why}");
                    }
                    cause = next.source();
                }
                eprintln!("hawser: {told}");
                ExitCode::FAILURE
            }
        }
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::Config(errors)
    }
}

impl<E: std::error::Error + 'static> From<E> for Failure
where
    E: NotConfig,
{
    fn from(error: E) -> Self {
        Self::Other(Box::new(error))
    }
}

/// Everything that is no [`ConfigErrors`].
pub trait NotConfig {}
impl NotConfig for std::io::Error {}
impl NotConfig for hawser::gateway::GatewayError {}
impl NotConfig for hawser::shore::ShoreError {}
impl NotConfig for hawser::demo::DemoError {}
impl NotConfig for hawser::sim::SimError {}
impl NotConfig for hawser::replay::ReplayError {}
impl NotConfig for hawser::decode::DecodeError {}
impl NotConfig for hawser::store::telemetry::TelemetryError {}
impl NotConfig for tools::DbcFileError {}
impl NotConfig for remote::RemoteError {}
impl NotConfig for hawser::update::delta::DeltaError {}
impl NotConfig for serde_json::Error {}

/// What a verb comes to.
pub type Outcome = Result<ExitCode, Failure>;

/// `hawser completions`.
pub fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut command = <Cli as clap::CommandFactory>::command();
    clap_complete::generate(shell, &mut command, "hawser", &mut std::io::stdout());
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        <Cli as clap::CommandFactory>::command().debug_assert();
        assert_eq!(duration("5m"), Ok(std::time::Duration::from_secs(300)));
        assert!(duration("5 parsecs").is_err());
    }
}
