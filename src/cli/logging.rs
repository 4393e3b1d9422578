//! Where the log goes: to journald when systemd reads our standard error, else to the terminal.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::Verb;

/// Set by systemd for services whose standard error goes to the journal (systemd.exec(5)).
const JOURNAL_VARIABLE: &str = "JOURNAL_STREAM";

/// The variable that takes a filter, as `hawser::sync=debug`.
const FILTER_VARIABLE: &str = "HAWSER_LOG";

/// Starts the log: information for daemons, warnings for tools, more on request.
pub fn start(verbose: u8, verb: &Verb) {
    let daemon = matches!(verb, Verb::Gateway(_) | Verb::Shore(_));
    let level = match (verbose, daemon) {
        (0, false) => "warn",
        (0, true) => "info",
        (1, _) => "debug",
        _ => "trace",
    };
    let filter = filter().unwrap_or_else(|| EnvFilter::new(level));
    let registry = tracing_subscriber::registry().with(filter);
    if std::env::var_os(JOURNAL_VARIABLE).is_some()
        && let Ok(journal) = tracing_journald::layer()
    {
        registry.with(journal).init();
        return;
    }
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    registry.with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(terminal)).init();
}

/// What the variable asks for. A filter that cannot be understood is told and left aside: a service must start, and
/// nobody must wonder why the log is thin.
fn filter() -> Option<EnvFilter> {
    let text = std::env::var(FILTER_VARIABLE).ok().filter(|text| !text.is_empty())?;
    EnvFilter::try_new(&text)
        .inspect_err(|error| eprintln!("hawser: {FILTER_VARIABLE}=\"{text}\" is no filter and is left aside: {error}"))
        .ok()
}
