//! `hawser update`: asks a running gateway, which does the work.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use hawser::api::updates::InstallOrder;
use hawser::update::{Doing, UpdateStatus, delta};

use super::remote::{self, RemoteError};
use super::serve::block_on;
use super::{Failure, Outcome};

/// Between two looks at an installation.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// `hawser update`.
#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// What to do.
    #[command(subcommand)]
    pub verb: UpdateVerb,
}

/// Its verbs.
#[derive(Debug, Subcommand)]
pub enum UpdateVerb {
    /// Show which version runs, what is known and what is waited for.
    Status {
        /// Which gateway.
        #[command(flatten)]
        gateway: remote::Gateway,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Ask the shore and look at USB sticks now.
    Check(remote::Gateway),
    /// Agree to a newer version: it is installed now and started when the vessel lies still.
    Install {
        /// A file on the box (absolute path) or an https:// address; without it the newest that is known.
        bundle: Option<String>,
        /// Start it without waiting for berth and hour.
        #[arg(long)]
        now: bool,
        /// Load it over a metered link too.
        #[arg(long)]
        metered: bool,
        /// Which gateway.
        #[command(flatten)]
        gateway: remote::Gateway,
    },
    /// Go back to the version in the other slot, at once.
    Rollback(remote::Gateway),
    /// Write the program of a bundle into a slot, made of this one and of what differs. For the bundle's hook.
    #[command(hide = true)]
    ApplyDelta {
        /// Where the bundle is mounted.
        bundle: PathBuf,
        /// The slot's device.
        slot: PathBuf,
    },
}

/// Carries a verb out.
pub fn run(args: &UpdateArgs) -> Outcome {
    block_on(async {
        match &args.verb {
            UpdateVerb::Status { gateway, json } => {
                let status = look(gateway).await?;
                let told = if *json { serde_json::to_string(&status)? + "\n" } else { describe(&status) };
                remote::say(&told)?;
            }
            UpdateVerb::Check(gateway) => remote::say(&describe(&post(gateway, "check", None).await?))?,
            UpdateVerb::Install { bundle, now, metered, gateway } => {
                let order = InstallOrder { bundle: bundle.clone(), now: *now, metered: *metered };
                let status = post(gateway, "install", Some(serde_json::to_value(order)?)).await?;
                return follow(gateway, status).await;
            }
            UpdateVerb::Rollback(gateway) => {
                remote::say(&format!("{}\n", post(gateway, "rollback", None).await?.why))?;
            }
            UpdateVerb::ApplyDelta { bundle, slot } => {
                let bytes = delta::apply(bundle, &std::env::current_exe()?, slot)?;
                remote::say(&format!("{bytes} bytes of the program are made of the one that runs\n"))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn look(gateway: &remote::Gateway) -> Result<UpdateStatus, Failure> {
    let body = remote::ask(remote::client(&gateway.url)?.get(url(gateway, "")), &gateway.url).await?;
    Ok(serde_json::from_str(&body)?)
}

async fn post(gateway: &remote::Gateway, verb: &str, body: Option<serde_json::Value>) -> Result<UpdateStatus, Failure> {
    let mut request = remote::client(&gateway.url)?.post(url(gateway, verb)).bearer_auth(gateway.token()?);
    if let Some(body) = body {
        request = request.json(&body);
    }
    Ok(serde_json::from_str(&remote::ask(request, &gateway.url).await?)?)
}

fn url(gateway: &remote::Gateway, verb: &str) -> String {
    let path = format!("{}/api/update/{verb}", gateway.url);
    path.trim_end_matches('/').to_owned()
}

/// Tells each step of an installation once, until nothing is left to wait for here.
async fn follow(gateway: &remote::Gateway, mut status: UpdateStatus) -> Outcome {
    let mut told = String::new();
    loop {
        let why = status.why.clone();
        if why != told {
            remote::say(&format!("{why}\n"))?;
            told = why;
        }
        if status.doing != Doing::Installing && !status.last_error.is_empty() {
            return Err(RemoteError::Refused { url: gateway.url.clone(), body: status.last_error }.into());
        }
        if status.doing != Doing::Installing && (status.staged.is_some() || status.doing != Doing::Resting) {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
        status = look(gateway).await?;
    }
}

fn describe(status: &UpdateStatus) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let trial = if status.on_trial { ", on trial" } else { "" };
    let slot = if status.slot.is_empty() { "no slots here" } else { &status.slot };
    let _ = writeln!(text, "runs    {} ({slot}{trial})", status.version);
    if let Some(other) = &status.other_version {
        let _ = writeln!(text, "other   {other}, can be rolled back to");
    }
    if let Some(staged) = &status.staged {
        let agreed = if status.approved { "agreed to" } else { "nobody has agreed to it" };
        let _ = writeln!(text, "ready   {staged}, {agreed}");
    }
    if let Some(offer) = &status.offer {
        let _ = writeln!(text, "offer   {} in {} ({:.1} MB)", offer.version, offer.place, offer.bytes as f64 / 1e6);
    }
    let _ = writeln!(text, "now     {}", status.why);
    let checked = status.checked_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
    let _ = writeln!(text, "asked   the shore: {checked}");
    if let Some(taken) = &status.taken_back {
        let _ =
            writeln!(text, "back    {} was taken back at {}: {}", taken.version, taken.at, taken.reasons.join("; "));
    }
    if !status.last_error.is_empty() {
        let _ = writeln!(text, "ERROR   {}", status.last_error);
    }
    text
}
