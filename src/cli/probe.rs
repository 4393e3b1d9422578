//! `hawser probe` and `hawser devices`: what an integrator asks at the quay, before there is a gateway.
//!
//! Standard output holds nothing but configuration, so that it can be appended to one; progress and hints go to
//! standard error.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use hawser::clock::Clock;
use hawser::config::{Address, Parity, Protocol};
use hawser::sensors::modbus_map;
use hawser::sensors::probe::{self, ProbeError, ProbeOptions};
use hawser::wire::modbus::map::BUILTIN;
use hawser::wire::modbus::{DeviceMap, MapError, UNIT_ID_MAX, UNIT_ID_MIN};

use super::serve::{block_on, until_signal};
use super::{Failure, Outcome, duration};

/// The protocols that a wire can be looked at for.
const PROTOCOLS: [Protocol; 6] =
    [Protocol::Nmea0183, Protocol::Iec61162_450, Protocol::Nmea2000, Protocol::J1939, Protocol::Can, Protocol::Modbus];

/// `hawser probe`.
#[derive(Debug, Args)]
#[command(
    after_help = "What is found goes to standard output as configuration: hawser probe ADDRESS >> gateway.toml\n\
                        Exit code: 0 something was understood, 1 nothing was, 2 it was asked for what cannot be."
)]
pub struct ProbeArgs {
    /// Where, as in the configuration: tcp://host:port, udp://address:port, serial:///dev/..., can://can0.
    pub address: Address,
    /// Listen for so long, as in 10s, 5m.
    #[arg(long = "for", value_name = "TIME", value_parser = duration, default_value = "10s")]
    pub duration: Duration,
    /// Listen for this alone; modbus asks, with the reading functions only.
    #[arg(long, value_parser = protocols())]
    pub protocol: Option<Protocol>,
    /// Bits a second of a serial line, where it is known.
    #[arg(long, value_parser = clap::value_parser!(u32).range(300..))]
    pub baud: Option<u32>,
    /// Parity of a serial line; that of MODBUS over Serial Line is even.
    #[arg(long, value_parser = parities(), default_value = "none", hide_default_value = true)]
    pub parity: Parity,
    /// Join a multicast group on this interface, by name or IPv4 address; may be given more than once.
    #[arg(long, value_name = "INTERFACE")]
    pub interface: Vec<String>,
    /// Modbus units to ask, as in 1-10,17; without it all of 1-247.
    #[arg(long, value_name = "UNITS", value_parser = Units::parse)]
    pub units: Option<Units>,
    /// The bus's name in what is printed.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub name: String,
}

/// `hawser devices`.
#[derive(Debug, Args)]
pub struct DevicesArgs {
    /// Print this map, to copy and change it.
    #[arg(conflicts_with = "check")]
    pub name: Option<String>,
    /// Check a map of your own.
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
}

/// Unit ids, each once and in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Units(pub Vec<u8>);

impl Units {
    /// All that a device may have.
    fn all() -> Self {
        Self((UNIT_ID_MIN..=UNIT_ID_MAX).collect())
    }

    fn parse(text: &str) -> Result<Self, String> {
        let refused = || format!("`{text}` are no units of {UNIT_ID_MIN} to {UNIT_ID_MAX}, such as 1-10,17");
        let id = |text: &str| text.trim().parse::<u8>().ok().filter(|id| (UNIT_ID_MIN..=UNIT_ID_MAX).contains(id));
        let mut units = BTreeSet::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = id(first).zip(id(last)).filter(|(first, last)| first <= last).ok_or_else(refused)?;
            units.extend(first..=last);
        }
        Ok(Self(units.into_iter().collect()))
    }
}

fn protocols() -> impl clap::builder::TypedValueParser<Value = Protocol> {
    let named = |name: String| PROTOCOLS.into_iter().find(|protocol| protocol.name() == name);
    PossibleValuesParser::new(PROTOCOLS.map(Protocol::name))
        .map(move |name| named(name).expect("it is one of the possible values"))
}

fn parities() -> impl clap::builder::TypedValueParser<Value = Parity> {
    let named = |name: String| Parity::ALL.into_iter().find(|parity| parity.name() == name);
    PossibleValuesParser::new(Parity::ALL.map(Parity::name))
        .map(move |name| named(name).expect("it is one of the possible values"))
}

/// `hawser probe`.
pub fn probe(args: &ProbeArgs) -> Outcome {
    let is_modbus = args.protocol == Some(Protocol::Modbus);
    let units = args.units.clone().or_else(|| is_modbus.then(Units::all));
    let options = ProbeOptions {
        protocol: args.protocol,
        baud: args.baud.unwrap_or(0),
        parity: args.parity,
        interfaces: args.interface.clone(),
        units: units.map_or_else(Vec::new, |units| units.0),
        name: args.name.clone(),
        ..ProbeOptions::new(args.address.clone(), args.duration)
    };
    block_on(async {
        let mut tell = |text: &str| eprintln!("{text}");
        let probed = probe::run(&options, &Clock::system(), &until_signal()?, &mut tell).await;
        let probed = probed.map_err(|error| match error {
            ProbeError::Usage(problem) => Failure::Usage(problem),
            ProbeError::Wire(error) => Failure::Other(Box::new(error)),
        })?;
        let mut output = std::io::stdout();
        output.write_all(probed.config.as_bytes())?;
        output.flush()?;
        for hint in &probed.hints {
            eprintln!("{hint}");
        }
        if probed.understood && output.is_terminal() {
            eprintln!("to take it over: the same command with `>> gateway.toml`, then `hawser check gateway.toml`");
        }
        Ok(if probed.understood { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// `hawser devices`.
pub fn devices(args: &DevicesArgs) -> Outcome {
    if let Some(file) = &args.check {
        return check(file);
    }
    let mut output = std::io::stdout();
    match &args.name {
        None => output.write_all(list()?.as_bytes())?,
        Some(name) => {
            let Some((_, text)) = BUILTIN.iter().find(|(known, _)| known == name) else {
                let known: Vec<_> = BUILTIN.iter().map(|(name, _)| *name).collect();
                return Err(Failure::Usage(format!("no map is called `{name}`; built in: {}", known.join(", "))));
            };
            output.write_all(text.as_bytes())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list() -> Result<String, MapError> {
    let mut text = String::new();
    for (name, map) in BUILTIN {
        let map = DeviceMap::parse(name, map)?;
        text.push_str(&format!("{name}: {}, {} values\n    {}\n", title(&map), map.values.len(), map.document));
    }
    Ok(text)
}

fn title(map: &DeviceMap) -> String {
    format!("{} {} ({})", map.manufacturer, map.model, map.function)
}

fn check(file: &Path) -> Outcome {
    let map = modbus_map(file)?;
    println!("{}: {}, {} values", file.display(), title(&map), map.values.len());
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_ranges_and_numbers() {
        assert_eq!(Units::parse("1-3,17,2"), Ok(Units(vec![1, 2, 3, 17])));
        assert_eq!(Units::all().0.len(), 247);
        for wrong in ["", "0", "248", "5-1", "1-", "1,,2", "a", "1-2-3"] {
            assert!(Units::parse(wrong).is_err_and(|told| told.contains("1-10,17")), "{wrong}");
        }
    }
}
