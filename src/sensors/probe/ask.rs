//! Asks the Modbus units of a line who is there: reading functions only, one question at a time, short time-outs.

use std::future::Future;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::units::{Survey, TABLES, Told, Unit, best, first_of, told, trials};
use super::{ProbeOptions, Tell};
use crate::clock::Clock;
use crate::config::{Address, Format};
use crate::sensors::modbus::{BAUD, line::Line};
use crate::sensors::{CONNECT_TIMEOUT, SensorsError, serial, tcp};
use crate::wire::modbus::{Answer, Ask, Framing, Outcome, Refusal, Request, rtu};

/// How long a unit may think. Meters answer within 100 ms, gateways add their own delay; a unit that is slower than
/// this is missed. Each of 247 that are not there is asked twice: 148 s, and on a line 198 s with the 100 ms of silence
/// after each, at each rate that is tried.
const TIMEOUT_MS: u64 = 300;

/// Rates of serial lines in the order of how often they are met; the first two every device must have (Serial Line
/// V1.02, 2.4.1).
const RATES: [u32; 6] = [BAUD, 19_200, 38_400, 115_200, 57_600, 4_800];

/// Between two words about the progress.
const TELL_EVERY_MS: u64 = 2_000;

/// Who is there, and how they are reached.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub survey: Survey,
    pub format: Format,
    /// 0: no serial line.
    pub baud: u32,
}

/// One way to reach the units.
#[derive(Clone, Copy, Debug)]
struct Way {
    framing: Framing,
    format: Format,
    baud: u32,
}

/// Asks until one way brings answers. Stops early, with what is known, when `stop` is cancelled.
pub(super) async fn ask(
    options: &ProbeOptions,
    clock: &Clock,
    stop: &CancellationToken,
    tell: Tell<'_>,
) -> Result<Asked, SensorsError> {
    let mut asked = Asked::default();
    for way in ways(options) {
        let mut scan = Scan { options, clock, stop, told_ms: clock.now().mono_ms, survey: Survey::default(), tell };
        scan.tell(&format!("asking {} unit ids, {}", options.units.len(), way.name()));
        match &options.address {
            Address::Tcp { host, port } => {
                scan.all(way, || tcp::connect(CONNECT_TIMEOUT, host, *port)).await?;
            }
            Address::Serial(path) => scan.all(way, async || serial::open(path, way.baud, options.parity)).await?,
            Address::Udp(_) | Address::Can(_) => {}
        }
        asked = Asked { survey: scan.survey, format: way.format, baud: way.baud };
        if !asked.survey.units.is_empty() || stop.is_cancelled() {
            break;
        }
    }
    Ok(asked)
}

fn ways(options: &ProbeOptions) -> Vec<Way> {
    if !matches!(options.address, Address::Serial(_)) {
        let tcp = Way { framing: Framing::Tcp, format: Format::Default, baud: 0 };
        return vec![tcp, Way { framing: Framing::Rtu, format: Format::Rtu, baud: 0 }];
    }
    let rates = if options.baud == 0 { RATES.to_vec() } else { vec![options.baud] };
    rates.into_iter().map(|baud| Way { framing: Framing::Rtu, format: Format::Default, baud }).collect()
}

impl Way {
    fn name(self) -> String {
        match (self.framing, self.baud) {
            (Framing::Tcp, _) => "Modbus TCP".to_owned(),
            (Framing::Rtu, 0) => "serial frames over TCP".to_owned(),
            (Framing::Rtu, baud) => format!("{baud} baud"),
        }
    }
}

struct Scan<'a, 'b> {
    options: &'a ProbeOptions,
    clock: &'a Clock,
    stop: &'a CancellationToken,
    told_ms: u64,
    survey: Survey,
    tell: Tell<'b>,
}

impl Scan<'_, '_> {
    fn tell(&mut self, text: &str) {
        (self.tell)(text);
    }

    /// Asks each unit. A line that breaks is opened again once for each unit.
    async fn all<T, F>(&mut self, way: Way, open: impl Fn() -> F) -> Result<(), SensorsError>
    where
        T: AsyncRead + AsyncWrite + Unpin,
        F: Future<Output = Result<T, SensorsError>>,
    {
        let silence = Duration::from_micros(rtu::silence_micros(if way.baud == 0 { u32::MAX } else { way.baud }));
        let mut line = Line::new(open().await?, way.framing, silence, 0);
        for id in &self.options.units {
            let now_ms = self.clock.now().mono_ms;
            if now_ms.saturating_sub(self.told_ms) >= TELL_EVERY_MS {
                self.told_ms = now_ms;
                let (asked, found) = (self.survey.asked, self.survey.units.len());
                self.tell(&format!("asked {asked} of {} unit ids, {found} answered", self.options.units.len()));
            }
            let known = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                known = unit(&mut line, *id, &mut self.survey) => known,
            };
            self.survey.asked += 1;
            match known {
                Ok(Some(unit)) => {
                    self.survey.units.insert(*id, unit);
                }
                Ok(None) => {}
                // Some servers close when they do not know a unit.
                Err(source) if is_closed(&source) => line = Line::new(open().await?, way.framing, silence, 0),
                Err(source) => {
                    self.tell(&format!("{}: {source}", way.name()));
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Whether the far end closed. Anything else (no Modbus, a line that is never silent) is the same for every unit.
fn is_closed(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// Asks one unit for each table, then for what the built-in maps have. `None`: it is not there.
async fn unit<T: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<T>,
    unit: u8,
    survey: &mut Survey,
) -> std::io::Result<Option<Unit>> {
    let mut found = Unit::default();
    for (tried, table) in TABLES.into_iter().enumerate() {
        // Whoever answers for neither kind of register is not there: to say no is an answer too.
        if tried == 2 && found.tables.is_empty() {
            return Ok(None);
        }
        let outcome = question(line, unit, first_of(table), survey).await?;
        found.tables.extend(outcome.0.map(|said| (table, said)));
    }
    let mut fits = Vec::new();
    for trial in trials() {
        let mut answers = Vec::new();
        for read in &trial.reads {
            match question(line, unit, read.request, survey).await? {
                (Some(Told::Value), data) => answers.push(data),
                _ => break,
            }
        }
        fits.extend(trial.judge(&answers));
    }
    found.fits = best(fits);
    Ok(Some(found))
}

/// What a unit said to one question, and the data.
async fn question<T: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<T>,
    unit: u8,
    request: Request,
    survey: &mut Survey,
) -> std::io::Result<(Option<Told>, Vec<u8>)> {
    let (outcome, overheard) = line.ask(&Ask { unit, request, timeout_ms: TIMEOUT_MS }).await?;
    overheard.dropped().for_each(|(reason, count)| survey.count(reason, count));
    match outcome {
        Outcome::Answer(Answer::Data(data)) => Ok((Some(Told::Value), data.to_vec())),
        // Silence is what most unit ids are asked for.
        Outcome::Refused(Refusal::Timeout) => Ok((None, Vec::new())),
        Outcome::Refused(Refusal::Header) => {
            survey.count(Refusal::Header.reason(), 1);
            Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "this is not Modbus TCP"))
        }
        Outcome::Refused(refusal) => {
            survey.count(refusal.reason(), 1);
            Ok((None, Vec::new()))
        }
        exception => Ok((told(exception), Vec::new())),
    }
}
