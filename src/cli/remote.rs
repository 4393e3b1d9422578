//! Verbs about a gateway: its state and pruning over its API, its past from its data directory.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use hawser::api::auth::TOKEN_FILE;
use hawser::api::status::Status;
use hawser::clock::Stamp;
use hawser::gateway::TELEMETRY_DIR;
use hawser::store::telemetry::{Query, StoredReading, TelemetryReader};

use super::serve::block_on;
use super::{Outcome, QueryArgs, RemoteArgs};

/// How long a gateway may take to answer: as long as it gives itself.
const REQUEST_TIME_MAX: std::time::Duration = hawser::api::REQUEST_TIME_MAX;

/// Why a gateway could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// No answer.
    #[error("{url}: no answer ({cause}); is the gateway running there? `--url` names another")]
    Unreachable {
        /// Whom.
        url: String,
        /// Why not.
        cause: String,
    },
    /// Nobody can be asked over HTTP from here.
    #[error("HTTP cannot be spoken: {0}")]
    Client(#[source] reqwest::Error),
    /// It said no.
    #[error("{url}: {body}")]
    Refused {
        /// Whom.
        url: String,
        /// What it said.
        body: String,
    },
    /// No token is at hand.
    #[error("no API token: {path} cannot be read ({cause}); `--data-dir` or HAWSER_TOKEN gives it")]
    NoToken {
        /// Where it was looked for.
        path: String,
        /// Why not.
        cause: std::io::Error,
    },
    /// There is no store.
    #[error("{path}: no telemetry here; `--data-dir` names the gateway's data directory")]
    NoStore {
        /// Where.
        path: String,
    },
}

/// A client that gives up: a gateway that hangs must not hang whoever asks. The system's certificates are wanted only
/// where they serve: a box may have none.
pub fn client(url: &str) -> Result<reqwest::Client, RemoteError> {
    let mut builder = reqwest::Client::builder().timeout(REQUEST_TIME_MAX);
    if url.starts_with("http://") {
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(RemoteError::Client)
}

/// A gateway to which orders are given.
#[derive(Debug, clap::Args)]
pub struct Gateway {
    /// The gateway.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// The gateway's data directory: its API token is there.
    #[arg(long, value_name = "DIRECTORY", default_value = "/var/lib/hawser")]
    pub data_dir: PathBuf,
    /// The API token, where the data directory is out of reach.
    #[arg(long, env = "HAWSER_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

impl Gateway {
    /// The token for orders.
    pub fn token(&self) -> Result<String, RemoteError> {
        if let Some(token) = &self.token {
            return Ok(token.clone());
        }
        let path = self.data_dir.join(TOKEN_FILE);
        let no_token = |cause| RemoteError::NoToken { path: path.display().to_string(), cause };
        Ok(std::fs::read_to_string(&path).map_err(no_token)?.trim().to_owned())
    }
}

/// Writes to standard output.
pub fn say(text: &str) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    seen_enough(output.write_all(text.as_bytes()).and_then(|()| output.flush()))
}

/// A reader that has seen enough (head, a pager) closes the pipe; that is no failure.
fn seen_enough(written: std::io::Result<()>) -> std::io::Result<()> {
    written.or_else(|error| if error.kind() == std::io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}

pub async fn ask(request: reqwest::RequestBuilder, url: &str) -> Result<String, RemoteError> {
    let unreachable = |error: reqwest::Error| {
        let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        RemoteError::Unreachable { url: url.to_owned(), cause }
    };
    let response = request.send().await.map_err(unreachable)?;
    let good = response.status().is_success();
    let body = response.text().await.map_err(unreachable)?;
    if good { Ok(body) } else { Err(RemoteError::Refused { url: url.to_owned(), body }) }
}

/// `hawser status`.
pub fn status(args: &RemoteArgs) -> Outcome {
    block_on(async {
        let body = ask(client(&args.url)?.get(format!("{}/api/status", args.url)), &args.url).await?;
        if args.json {
            say(&format!("{body}\n"))?;
        } else {
            say(&describe(&serde_json::from_str(&body)?))?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn describe(status: &Status) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let age = |at: Option<Stamp>| {
        at.map_or("never".to_owned(), |at| format!("{} s ago", status.now.millis_since(at) / 1_000))
    };
    let _ = writeln!(text, "{} {}  Hawser {}", status.vessel.id, status.vessel.name, status.version);
    let _ = writeln!(text, "clock   {} ({})", status.now, status.clock_quality.name());
    for bus in &status.buses {
        let (rate, heard) = (bus.readings_per_s, age(bus.last_data_at));
        let _ = writeln!(
            text,
            "bus     {} {:?}: {rate:.1} readings/s, {} refused, heard {heard}",
            bus.name, bus.state, bus.rejected
        );
    }
    let store = &status.store;
    let megabytes = store.bytes as f64 / 1e6;
    let _ = writeln!(
        text,
        "store   {} readings, {megabytes:.1} MB in {} files, safe up to {}",
        store.readings, store.files, store.durable_seq
    );
    let _ = writeln!(
        text,
        "records log at {}, {} not ashore, {} refused",
        status.records.head, status.records.pending, status.records.dead_letters
    );
    for broker in &status.brokers {
        let _ = writeln!(
            text,
            "broker  {} {:?}: {} of {}, {} waiting, {} dropped",
            broker.name, broker.state, broker.cursor, broker.head, broker.ring_messages, broker.dropped
        );
    }
    let shore = &status.shore;
    let _ = writeln!(
        text,
        "shore   {:?}, {:?}, last sync {}, readings up to {}",
        shore.link,
        shore.health,
        age(shore.last_success_at),
        shore.readings_acknowledged_seq
    );
    if let Some(update) = &status.update {
        let _ = writeln!(text, "system  {} {}, {}", update.version, update.slot, update.why);
    }
    for alarm in &status.alarms {
        let _ = writeln!(text, "ALARM   {alarm}");
    }
    text
}

/// `hawser query`.
pub fn query(args: &QueryArgs) -> Outcome {
    let dir = args.data_dir.join(TELEMETRY_DIR);
    if !dir.is_dir() {
        return Err(RemoteError::NoStore { path: dir.display().to_string() }.into());
    }
    let path = (args.path != "*").then(|| args.path.clone());
    let query = Query {
        path,
        source: args.source.clone(),
        from: args.from,
        to: args.to,
        limit: args.limit,
        ..Query::default()
    };
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    let mut failed = None;
    let report = TelemetryReader::new(&dir).query(&query, |reading| match writeln!(output, "{}", line(&reading)) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    seen_enough(failed.map_or_else(|| output.flush(), Err))?;
    if report.corrupt_blocks + report.unreadable_files > 0 {
        eprintln!("{} blocks and {} files cannot be read", report.corrupt_blocks, report.unreadable_files);
    }
    Ok(ExitCode::SUCCESS)
}

fn line(reading: &StoredReading) -> serde_json::Value {
    serde_json::json!({
        "observed_at": reading.observed_at,
        "received_at": reading.received_at,
        "context": reading.key.context.to_string(),
        "path": reading.key.path,
        "source": &*reading.key.source,
        "instance": &*reading.key.instance,
        "value": reading.value.to_json(),
        "quality": reading.quality.name(),
        "clock_quality": reading.clock_quality.name(),
    })
}

/// `hawser prune`.
pub fn prune(args: &Gateway) -> Outcome {
    let token = args.token()?;
    block_on(async {
        let post = client(&args.url)?.post(format!("{}/api/telemetry/prune", args.url)).bearer_auth(token);
        say(&format!("{}\n", ask(post, &args.url).await?))?;
        Ok(ExitCode::SUCCESS)
    })
}
