//! The table, compiled once a process: fields by their bits, paths with the instance in them, words as values.
//!
//! A path with an instance is made the first time it is needed and kept for ever, so that a reading costs no
//! allocation. Rows are few and instances end at [`INSTANCE_MAX`], so what is kept is bounded by the table.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use canboat::schema::PgnInfo;
use canboat::{Database, Units};

use super::field::{Field, Found, TextField};
use super::rows::{NETWORK, table};
use super::table::{About, Absent, Kind, Path, PgnSpec, Rule, Take};
use crate::clock::Stamp;
use crate::reading::{Context, Quality, Value};
use crate::wire::Emit;

/// The highest instance: above it an 8-bit field says reserved, out of range, not available.
pub const INSTANCE_MAX: u64 = 252;

/// Lines that one message tells of: three phases, or the satellites of four systems in view.
const LINES_MAX: i64 = 64;

/// Fields that make readings together, at most: a ship's static data.
const SPECIAL_MAX: usize = 9;

/// The PGNs of the table stand between these; those below are the network's.
const PGN_FIRST: u32 = 0x1_F000;
const PGN_LAST: u32 = 0x1_FFFF;

/// What is known of a PGN.
#[derive(Clone, Copy, Debug)]
pub enum Known {
    /// A row of the table.
    Row(&'static Row),
    /// How devices manage the network; it makes no readings.
    Network,
    /// Nothing.
    Unknown,
}

/// What stopped a message from making readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The instance that its paths need is not available.
    NoInstance,
    /// An AIS message that does not say who sent it.
    NoStation,
    /// It ends before what it is for. Some devices send a PGN in one frame that has to be a fast packet; what looks
    /// like a fast packet of one byte then is none.
    TooShort,
}

/// All rows by their PGN.
#[derive(Debug)]
pub struct Plan {
    rows: Vec<Row>,
    /// Number of the row plus one by PGN, from [`PGN_FIRST`] on.
    index: Vec<u8>,
}

/// One row, ready to run.
#[derive(Debug)]
pub struct Row {
    /// As in the table.
    pub spec: &'static PgnSpec,
    /// Bytes that hold the instance and the first value that is reported.
    bytes_min: usize,
    instance: Option<Field>,
    observed: Option<(Field, Field)>,
    station: Option<(Field, Kind)>,
    transceiver: Option<Field>,
    lines: Option<(Field, usize)>,
    /// And the instance of each number.
    each: Option<(Field, Vec<String>)>,
    rules: Vec<RulePlan>,
    special: Vec<Field>,
}

#[derive(Debug)]
struct RulePlan {
    by: Option<Field>,
    /// By code; one where the path is fixed.
    paths: Vec<Option<PathPlan>>,
    take: TakePlan,
    absent: Absent,
    when: Option<(Field, i64)>,
}

#[derive(Debug)]
enum PathPlan {
    Fixed(&'static str),
    /// In front of the instance, behind it, and those made so far.
    Composed(&'static str, &'static str, Box<[OnceLock<Box<str>>]>),
}

#[derive(Debug)]
enum TakePlan {
    Number(Field),
    Turn(Field),
    Whole(Field),
    Switch(Field),
    Word(Field, Vec<Option<Arc<str>>>),
    Name(Field),
    Text(TextField),
    Always(Arc<str>),
    Position(Field, Field),
    DateTime(Field, Field),
}

/// The plan of this process.
pub fn plan() -> &'static Plan {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    PLAN.get_or_init(Plan::compile)
}

impl Plan {
    fn compile() -> Self {
        let rows: Vec<Row> = table().map(Row::compile).collect();
        let mut index = vec![0; (PGN_LAST - PGN_FIRST + 1) as usize];
        for (at, row) in rows.iter().enumerate() {
            index[(row.spec.pgn - PGN_FIRST) as usize] = u8::try_from(at + 1).expect("the table has under 255 rows");
        }
        Self { rows, index }
    }

    /// What is known of `pgn`.
    pub fn find(&'static self, pgn: u32) -> Known {
        let at = pgn.checked_sub(PGN_FIRST).and_then(|at| self.index.get(at as usize)).copied().unwrap_or(0);
        match usize::from(at).checked_sub(1) {
            Some(at) => Known::Row(&self.rows[at]),
            None if NETWORK.contains(&pgn) => Known::Network,
            None => Known::Unknown,
        }
    }
}

/// Compiles the fields of one PGN.
struct Compiler(&'static PgnInfo, &'static Database);

impl Compiler {
    fn info(&self, name: &str) -> &'static canboat::schema::FieldInfo {
        let found = self.0.fields.iter().find(|field| field.name == name);
        found
            .unwrap_or_else(|| panic!("PGN {}: canboat names no field `{name}`; a test compiles the table", self.0.pgn))
    }

    fn field(&self, name: &str) -> Field {
        Field::compile(self.info(name), self.1).expect("the table names fields of a fixed place; a test compiles it")
    }

    fn rule(&self, rule: &'static Rule) -> RulePlan {
        let (by, paths) = match rule.path {
            Path::Fixed(path) => (None, vec![Some(PathPlan::new(path))]),
            Path::By(field, choices) => (Some(self.field(field)), by_code(choices, PathPlan::new)),
        };
        let when = rule.when.map(|(field, code)| (self.field(field), code.cast_signed()));
        RulePlan { by, paths, take: self.take(&rule.take), absent: rule.absent, when }
    }

    fn take(&self, take: &Take) -> TakePlan {
        match *take {
            Take::Number(name) => TakePlan::Number(self.field(name)),
            Take::Turn(name) => TakePlan::Turn(self.field(name)),
            Take::Whole(name) => TakePlan::Whole(self.field(name)),
            Take::Switch(name) => TakePlan::Switch(self.field(name)),
            Take::Word(name, words) => TakePlan::Word(self.field(name), by_code(words, Arc::from)),
            Take::Name(name) => TakePlan::Name(self.field(name)),
            Take::Always(word) => TakePlan::Always(Arc::from(word)),
            Take::Position(one, two) => TakePlan::Position(self.field(one), self.field(two)),
            Take::DateTime(one, two) => TakePlan::DateTime(self.field(one), self.field(two)),
            Take::Text(name) => {
                TakePlan::Text(TextField::compile(self.info(name)).expect("the table names texts; a test compiles it"))
            }
        }
    }
}

fn by_code<C, T>(choices: &[(C, &'static str)], make: impl Fn(&'static str) -> T) -> Vec<Option<T>>
where
    C: Copy + Into<u64>,
{
    let count = choices.iter().map(|(code, _)| (*code).into() + 1).max().unwrap_or(0);
    let text = |code| choices.iter().find(|(known, _)| (*known).into() == code).map(|(_, text)| make(text));
    (0..count).map(text).collect()
}

impl Row {
    fn compile(spec: &'static PgnSpec) -> Self {
        let db = Database::embedded(Units::Si);
        let info = db.first_pgn(spec.pgn).expect("the table names PGNs of canboat; a test compiles it");
        let compiler = Compiler(info, db);
        let station = match spec.about {
            About::OwnShip => None,
            About::Station(field, kind) => Some((compiler.field(field), kind)),
        };
        let purpose = spec.rules.iter().find(|rule| rule.absent == Absent::Report);
        let named = purpose.map(|rule| rule.take.fields()).unwrap_or_default().into_iter().chain(spec.instance);
        Self {
            spec,
            bytes_min: named.map(|name| compiler.field(name).end()).max().unwrap_or(0),
            instance: spec.instance.map(|name| compiler.field(name)),
            observed: spec.observed.map(|(date, time)| (compiler.field(date), compiler.field(time))),
            transceiver: station.as_ref().map(|_| compiler.field("AIS Transceiver information")),
            station,
            lines: spec.lines.map(|(count, bits)| (compiler.field(count), (bits / 8) as usize)),
            each: spec.each.map(|(name, named)| (compiler.field(name), (0..=INSTANCE_MAX as u32).map(named).collect())),
            rules: spec.rules.iter().map(|rule| compiler.rule(rule)).collect(),
            special: spec.special.map_or(&[][..], |(fields, _)| fields).iter().map(|f| compiler.field(f)).collect(),
        }
    }

    /// Makes the readings of one message.
    pub fn readings(&'static self, payload: &[u8], emit: Emit<'_>) -> Result<(), Refused> {
        if payload.len() < self.bytes_min {
            return Err(Refused::TooShort);
        }
        let Some(mut emit) = self.about(payload, emit)? else { return Ok(()) };
        if let Some((date, time)) = &self.observed {
            let told = stamp(date.read(payload), time.read(payload)).or(emit.observed_at());
            emit = emit.observed(told);
        }
        let id = match self.instance.as_ref().map(|field| field.read(payload)) {
            None => Some(0),
            Some(Found::Good(id)) if id.cast_unsigned() <= INSTANCE_MAX => Some(id.cast_unsigned() as usize),
            // A rudder that is alone sends 255.
            Some(_) => None,
        };
        let (lines, bytes) = match &self.lines {
            None => (1, 0),
            Some((count, bytes)) => match count.read(payload) {
                Found::Good(count) => (count.min(LINES_MAX) as usize, *bytes),
                _ => (0, 0),
            },
        };
        for line in 0..lines {
            let Some(payload) = payload.get(line * bytes..) else { break };
            let instance = match self.each.as_ref().map(|(field, names)| (field.read(payload), names)) {
                None => instance(id.unwrap_or(0)),
                Some((Found::Good(id), names)) if id.cast_unsigned() <= INSTANCE_MAX => &names[id as usize],
                Some(_) => continue,
            };
            for rule in &self.rules {
                rule.apply(payload, id, instance, &mut emit)?;
            }
        }
        if let Some((_, special)) = self.spec.special {
            let mut numbers = [None; SPECIAL_MAX];
            for (number, field) in numbers.iter_mut().zip(&self.special) {
                *number = match field.read(payload) {
                    Found::Good(value) => Some(field.scale(value)),
                    _ => None,
                };
            }
            special(&numbers[..self.special.len()], &mut emit);
        }
        Ok(())
    }

    /// Whom the message is about; `None`: the own transceiver's words.
    fn about<'a>(&self, payload: &[u8], emit: Emit<'a>) -> Result<Option<Emit<'a>>, Refused> {
        let (Some((field, kind)), Some(transceiver)) = (&self.station, &self.transceiver) else {
            return Ok(Some(emit));
        };
        // 2 and 3: sent on channel A or B by the own transceiver; 4: own information that is not sent at all.
        if matches!(transceiver.read(payload), Found::Good(2..=4)) {
            return Ok(None);
        }
        let Found::Good(mmsi) = field.read(payload) else { return Err(Refused::NoStation) };
        let mmsi = u32::try_from(mmsi).ok().filter(|mmsi| *mmsi <= 999_999_999).ok_or(Refused::NoStation)?;
        Ok(Some(emit.about(context(*kind, mmsi))))
    }
}

/// Whom a PGN is about: by its kind, else by the form of the MMSI (ITU-R M.585-9).
const fn context(kind: Kind, mmsi: u32) -> Context {
    match (kind, mmsi / 1_000_000) {
        (Kind::Shore, _) | (Kind::Vessel, 2..=7) => Context::ShoreStation(mmsi),
        (Kind::Aircraft, _) | (Kind::Vessel, 111) => Context::Aircraft(mmsi),
        (Kind::Aid, _) | (Kind::Vessel, 990..=999) => Context::AidToNavigation(mmsi),
        _ => Context::Vessel(mmsi),
    }
}

impl PathPlan {
    fn new(path: &'static str) -> Self {
        match path.split_once('*') {
            None => Self::Fixed(path),
            Some((front, behind)) => {
                Self::Composed(front, behind, (0..=INSTANCE_MAX).map(|_| OnceLock::new()).collect())
            }
        }
    }

    /// The path and the reading's instance, which is in the path where that has a place for it; `None` where the path
    /// needs a number and there is none.
    #[inline]
    fn of(&'static self, id: Option<usize>, instance: &'static str) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Fixed(path) => Some((path, instance)),
            Self::Composed(front, behind, made) => {
                let id = id?;
                Some((made[id].get_or_init(|| format!("{front}{id}{behind}").into_boxed_str()), ""))
            }
        }
    }
}

/// 0 is what a device says that is alone: it has no instance, as where the message tells none.
fn instance(id: usize) -> &'static str {
    static NUMBERS: [OnceLock<Box<str>>; INSTANCE_MAX as usize + 1] = [const { OnceLock::new() }; 253];
    if id == 0 { "" } else { NUMBERS[id].get_or_init(|| id.to_string().into_boxed_str()) }
}

impl RulePlan {
    fn apply(
        &'static self,
        payload: &[u8],
        id: Option<usize>,
        instance: &'static str,
        emit: &mut Emit<'_>,
    ) -> Result<(), Refused> {
        if self.when.as_ref().is_some_and(|(field, code)| field.read(payload) != Found::Good(*code)) {
            return Ok(());
        }
        let code = match self.by.as_ref().map(|field| field.read(payload)) {
            None => 0,
            Some(Found::Good(code)) => code.cast_unsigned() as usize,
            Some(_) => return Ok(()),
        };
        let Some(Some(path)) = self.paths.get(code) else { return Ok(()) };
        let (value, quality) = match self.take.value(payload) {
            Ok(value) => (value, Quality::Good),
            Err(Quality::NotAvailable) if self.absent == Absent::Skip => return Ok(()),
            Err(quality) => (Value::Absent, quality),
        };
        let (path, instance) = path.of(id, instance).ok_or(Refused::NoInstance)?;
        emit.push(Cow::Borrowed(path), Cow::Borrowed(instance), value, quality);
        Ok(())
    }
}

/// The number of a field, or why there is none.
fn good(found: Found) -> Result<i64, Quality> {
    match found {
        Found::Good(value) => Ok(value),
        Found::NotAvailable => Err(Quality::NotAvailable),
        Found::OutOfRange => Err(Quality::OutOfRange),
    }
}

impl TakePlan {
    #[inline]
    fn value(&self, payload: &[u8]) -> Result<Value, Quality> {
        Ok(match self {
            Self::Number(field) => Value::Float(field.scale(good(field.read(payload))?)),
            Self::Turn(field) => {
                let angle = field.scale(good(field.read(payload))?);
                Value::Float(if angle > std::f64::consts::PI { angle - std::f64::consts::TAU } else { angle })
            }
            Self::Whole(field) => Value::Integer(good(field.read(payload))?),
            Self::Switch(field) => match good(field.read(payload))? {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                _ => return Err(Quality::OutOfRange),
            },
            Self::Word(field, words) => {
                let code = good(field.read(payload))?.cast_unsigned() as usize;
                Value::Text(Arc::clone(words.get(code).and_then(Option::as_ref).ok_or(Quality::NotAvailable)?))
            }
            Self::Name(field) => {
                let code = good(field.read(payload))?.cast_unsigned();
                Value::text(field.name(code).ok_or(Quality::NotAvailable)?)
            }
            Self::Text(field) => match field.read(payload) {
                text if text.is_empty() => return Err(Quality::NotAvailable),
                text => Value::text(&text),
            },
            Self::Always(word) => Value::Text(Arc::clone(word)),
            Self::Position(latitude, longitude) => {
                let [latitude, longitude] =
                    [latitude, longitude].map(|field| good(field.read(payload)).map(|value| field.scale(value)));
                position(latitude?, longitude?)?
            }
            Self::DateTime(date, time) => {
                let (day, clock) = (date.read(payload), time.read(payload));
                good(day)?;
                good(clock)?;
                Value::text(&stamp(day, clock).ok_or(Quality::OutOfRange)?.to_string())
            }
        })
    }
}

/// A place on the Earth: the fields hold twice as many degrees and more.
fn position(latitude: f64, longitude: f64) -> Result<Value, Quality> {
    let is_on_earth = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
    is_on_earth.then_some(Value::Position { latitude, longitude }).ok_or(Quality::OutOfRange)
}

/// Days since 1970 and ten-thousandths of a second since midnight, UTC; `None` where there is no such time. A leap
/// second counts as the start of the next day.
fn stamp(day: Found, clock: Found) -> Option<Stamp> {
    const DAY_US: i64 = 86_400_000_000;
    let (Found::Good(day), Found::Good(clock)) = (day, clock) else { return None };
    (clock * 100 <= DAY_US + 1_000_000).then_some(Stamp(day * DAY_US + clock * 100))
}

#[cfg(test)]
impl Row {
    /// The fields that the row reads, by name, for the test that holds them against canboat's own decoder.
    pub fn fields(&self) -> Vec<(&'static str, Field)> {
        let db = Database::embedded(Units::Si);
        let info = db.first_pgn(self.spec.pgn).unwrap();
        let named = self.spec.rules.iter().flat_map(|rule| rule.take.fields()).chain(self.spec.instance);
        let by = self.spec.rules.iter().filter_map(|rule| match rule.path {
            Path::By(field, _) => Some(field),
            Path::Fixed(_) => None,
        });
        let special = self.spec.special.map_or(&[][..], |(fields, _)| fields);
        let names: std::collections::BTreeSet<&str> = named.chain(by).chain(special.iter().copied()).collect();
        let compiled = |name: &'static str| {
            let found = info.fields.iter().find(|field| field.name == name)?;
            TextField::compile(found).is_none().then(|| (name, Compiler(info, db).field(name)))
        };
        names.into_iter().filter_map(compiled).collect()
    }

    /// The texts that the row reads, by name.
    pub fn texts(&self) -> Vec<(&'static str, TextField)> {
        let info = Database::embedded(Units::Si).first_pgn(self.spec.pgn).unwrap();
        let names = self.spec.rules.iter().flat_map(|rule| rule.take.fields());
        let text = |name| Some((name, TextField::compile(info.fields.iter().find(|field| field.name == name)?)?));
        names.filter_map(text).collect()
    }
}

#[cfg(test)]
impl Plan {
    /// All rows.
    pub fn rows(&'static self) -> &'static [Row] {
        &self.rows
    }
}
