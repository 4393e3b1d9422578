//! Verbs that run until they are told to stop.

use std::future::Future;
use std::io::IsTerminal as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use hawser::api::auth::{ApiToken, Created, TOKEN_FILE};
use hawser::clock::Clock;
use hawser::config::{Loaded, load_gateway, load_shore};
use hawser::demo::{self, DemoOptions};
use hawser::entropy::Entropy;
use hawser::{gateway, shore};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{DemoArgs, Outcome, ServeArgs};

/// Threads of the runtime: the work is I/O, and an idle thread costs memory.
const WORKER_THREADS: usize = 2;

/// How often a daemon looks whether a part of it has ended.
const FAULT_INTERVAL: Duration = Duration::from_secs(5);

/// `hawser gateway`.
pub fn gateway(args: &ServeArgs) -> Outcome {
    let loaded = load_gateway(args.config.as_deref(), &variable, &flags(args))?;
    warn_of(&loaded);
    block_on(async {
        let stop = stop_signal()?;
        let running = gateway::start(&loaded.config, Clock::system(), Entropy::system()).await?;
        println!("Hawser on board of {}: http://{}", running.vessel_id, running.address);
        show_token(&running.token.0, running.token.1, &loaded.config.data.dir);
        let faults = async {
            loop {
                tokio::time::sleep(FAULT_INTERVAL).await;
                let faults = running.faults();
                if !faults.is_empty() {
                    return faults;
                }
            }
        };
        let faults = stop.run_until_cancelled(faults).await;
        running.stop(true).await;
        match faults {
            None => Ok(ExitCode::SUCCESS),
            Some(faults) => {
                tracing::error!(?faults, "a part of the gateway has ended; the service manager starts it again");
                Ok(ExitCode::FAILURE)
            }
        }
    })
}

/// `hawser shore`.
pub fn shore(args: &ServeArgs) -> Outcome {
    let loaded = load_shore(args.config.as_deref(), &variable, &flags(args))?;
    warn_of(&loaded);
    block_on(async {
        let stop = stop_signal()?;
        let running = shore::start(&loaded.config, Clock::system(), Entropy::system(), stop.clone()).await?;
        println!("Hawser ashore: http://{}", running.address);
        show_token(&running.token.0, running.token.1, &loaded.config.data.dir);
        stop.cancelled().await;
        running.stopped().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// `hawser demo`.
pub fn demo(args: &DemoArgs) -> Outcome {
    let options = DemoOptions {
        dir: args.dir.clone(),
        listen: args.listen,
        shore_listen: args.shore_listen,
        seed: args.seed,
        lose: args.lose,
    };
    block_on(async {
        let stop = stop_signal()?;
        if let Some(duration) = args.duration {
            let stop = stop.clone();
            tokio::spawn(async move {
                tokio::time::sleep(duration).await;
                stop.cancel();
            });
        }
        let started = |text: &str| println!("{text}");
        let tally = demo::run(&options, Clock::system(), Entropy::system(), stop, started).await?;
        // Whoever started us may be gone; that is no fault of the voyage.
        let _ = writeln!(std::io::stdout(), "{}", serde_json::to_string(&tally)?);
        Ok(if tally.lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

fn flags(args: &ServeArgs) -> Vec<(&str, &str)> {
    let named = [("http.listen", &args.listen), ("data.dir", &args.data_dir)];
    named.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?))).collect()
}

/// An environment variable.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn warn_of<T>(loaded: &Loaded<T>) {
    for warning in &loaded.warnings {
        tracing::warn!("configuration: {warning}");
    }
    for setting in &loaded.settings {
        tracing::debug!("configuration: {} = {} ({})", setting.key, setting.value, setting.origin);
    }
}

/// Once, at the first start, to whoever stands at the console. What is no terminal may be the journal or a file, which
/// others read: there only the token's place is told.
fn show_token(token: &ApiToken, created: Created, data_dir: &Path) {
    match created {
        Created::Now if std::io::stdout().is_terminal() => {
            println!("Writing needs this token, shown once: {}", token.reveal());
        }
        _ => println!("Writing needs the token in {}", data_dir.join(TOKEN_FILE).display()),
    }
}

/// Cancelled by Ctrl-C or SIGTERM. A second signal ends the process at once.
fn stop_signal() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let cancelled = stop.clone();
    tokio::spawn(async move {
        let mut signals = 0;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            signals += 1;
            cancelled.cancel();
            if signals > 1 {
                eprintln!("stopped at once; what was acknowledged is on the disk");
                std::process::exit(130);
            }
        }
    });
    Ok(stop)
}

/// The stop signal for verbs outside this file.
pub fn until_signal() -> std::io::Result<CancellationToken> {
    stop_signal()
}

/// Runs a future on the product's runtime.
pub fn block_on(work: impl Future<Output = Outcome>) -> Outcome {
    install_tls();
    tokio::runtime::Builder::new_multi_thread().worker_threads(WORKER_THREADS).enable_all().build()?.block_on(work)
}

/// One TLS provider for all: ring (DESIGN.md, Dependencies).
fn install_tls() {
    // An error means that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
