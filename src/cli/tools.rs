//! Verbs that work on files and wires without a gateway.

use std::fs::File;
use std::io::{BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use hawser::clock::Clock;
use hawser::config::{load_gateway, load_shore, render_check};
use hawser::decode::{self, DecodeOptions};
use hawser::entropy::Entropy;
use hawser::replay::{self, ReplayOptions};
use hawser::sim::{self, Output, SimOptions};
use hawser::wire::dbc;
use hawser::wire::nmea0183::ChecksumRule;
use sha2::{Digest as _, Sha256};

use super::serve::{block_on, until_signal, variable};
use super::{CheckArgs, DecodeArgs, Failure, Outcome, Protocol, ReplayArgs, SimArgs};

/// `hawser sim`.
pub fn sim(args: &SimArgs) -> Outcome {
    let usual = Output::TcpListen(([127, 0, 0, 1], 0).into());
    let mut options = SimOptions::vessel(args.seed, usual.clone());
    if args.devices > 0 {
        options = SimOptions::load(args.seed, vec![usual], args.devices, args.rate_hz);
    }
    options.outputs.clone_from(&args.output);
    options.faults.clone_from(&args.fault);
    block_on(async {
        sim::run(options, Clock::system(), until_signal()?).await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// `hawser replay`.
pub fn replay(args: &ReplayArgs) -> Outcome {
    let options =
        ReplayOptions { file: args.file.clone(), into: args.into.clone(), listen: args.listen, speed: args.speed };
    block_on(async {
        let played = replay::run(options, Clock::system(), until_signal()?).await?;
        eprintln!("played {} lines, {} bytes", played.lines, played.bytes);
        Ok(ExitCode::SUCCESS)
    })
}

/// `hawser decode`.
pub fn decode(args: &DecodeArgs) -> Outcome {
    let checksum = if args.strict { ChecksumRule::Required } else { ChecksumRule::IfPresent };
    let (format, protocol) = (args.format, protocol(args)?);
    let options = DecodeOptions { format, protocol, raw: args.raw, checksum, ..DecodeOptions::default() };
    let input: Box<dyn Read> = if args.file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(File::open(&args.file).map_err(|e| named(&args.file, &e))?)
    };
    let mut output = BufWriter::new(std::io::stdout().lock());
    let summary = match decode::decode(&options, input, &mut output) {
        Err(error) if error.is_output_closed() => return Ok(ExitCode::SUCCESS),
        done => done?,
    };
    output.flush()?;
    eprintln!("{summary}");
    Ok(ExitCode::SUCCESS)
}

fn protocol(args: &DecodeArgs) -> Result<decode::Protocol, Failure> {
    match (args.protocol, &args.dbc) {
        (Protocol::J1939, _) => Ok(decode::Protocol::J1939),
        (Protocol::Dbc, Some(path)) => {
            let text = dbc::text_of(&std::fs::read(path).map_err(|e| named(path, &e))?);
            let map = dbc::Map::parse(&text).map_err(|source| DbcFileError { path: path.clone(), source })?;
            Ok(decode::Protocol::Dbc(Arc::new(map)))
        }
        // The command line asks for the file with `--protocol dbc`.
        (Protocol::Nmea2000 | Protocol::Dbc, _) => Ok(decode::Protocol::Nmea2000),
    }
}

/// A DBC that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}", path.display())]
pub struct DbcFileError {
    path: PathBuf,
    #[source]
    source: dbc::DbcError,
}

/// The system's error does not name the file.
fn named(path: &Path, error: &std::io::Error) -> std::io::Error {
    std::io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// `hawser check`.
pub fn check(args: &CheckArgs) -> Outcome {
    let text = if args.shore || names_shore(&args.config) {
        render_check(&load_shore(Some(&args.config), &variable, &[])?)
    } else {
        render_check(&load_gateway(Some(&args.config), &variable, &[])?)
    };
    print!("{text}");
    Ok(ExitCode::SUCCESS)
}

/// A file called `shore...` is the shore's; `--shore` says so of any other.
fn names_shore(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("shore"))
}

/// `hawser token`.
pub fn token() -> Outcome {
    let token = Entropy::system().token();
    println!("On board (gateway.toml, [shore]):       token = \"{token}\"");
    println!(
        "Ashore (shore.toml, its [[vessel]]):    token_sha256 = \"{}\"",
        hawser::shore::hex(&Sha256::digest(token.as_bytes()))
    );
    Ok(ExitCode::SUCCESS)
}
