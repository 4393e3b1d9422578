//! Our fields and readings against those that other programs printed of the same messages.

use std::collections::BTreeMap;

use canboat::schema::FieldInfo;
use canboat::{Database, Units};
use hawser::reading::{Quality, Value as Read};
use hawser::wire::Decoded;
use hawser::wire::nmea2000::{Path, PgnSpec, Take, table};
use serde_json::{Map, Value};

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Tally {
    /// Messages of ours.
    pub messages: u64,
    /// Messages that the other side printed.
    pub expected: u64,
    /// Fields that agree.
    pub equal: u64,
    /// Readings whose value is the other side's.
    pub readings: u64,
    /// What does not agree: the PGN and the field, `reading` and the path, `missing` or `extra`.
    pub different: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts what does not agree.
    pub fn differs(&mut self, what: String) {
        *self.different.entry(what).or_default() += 1;
    }
}

/// What a number in our unit is in the other side's: factor, what is added, and what printing may round off.
type Conversion = (f64, f64, f64);

/// canboat in C keeps some units even in SI, and has degrees, Celsius and bar without.
fn conversions(info: Option<&FieldInfo>) -> &'static [Conversion] {
    match info.and_then(|info| info.unit) {
        Some("ratio") => &[(100.0, 0.0, 0.0)],
        Some("m3") => &[(1_000.0, 0.0, 0.0)],
        Some("m3/s") => &[(3.6e6, 0.0, 0.0)],
        Some("Hz") => &[(60.0, 0.0, 0.0)],
        Some("C") => &[(1.0 / 3_600.0, 0.0, 0.0)],
        Some("rad" | "rad/s") => &[(180.0 / std::f64::consts::PI, 0.0, 0.05)],
        Some("K") => &[(1.0, -273.15, 0.0)],
        Some("Pa") => &[(1e-5, 0.0, 0.0)],
        // Positions are printed with 7 decimals.
        Some("deg") => &[(1.0, 0.0, 6e-8)],
        _ => &[],
    }
}

/// Whether a number of ours is theirs, but for what printing rounds off.
fn close(info: Option<&FieldInfo>, ours: f64, theirs: f64, decimals: Option<usize>) -> bool {
    let resolution = info.and_then(|info| info.resolution).unwrap_or(1e-6).abs().min(1.0);
    let printed = decimals.map_or(0.0, |decimals| 0.5 * 10_f64.powi(-(decimals as i32)));
    conversions(info).iter().chain(&[(1.0, 0.0, 0.0)]).any(|(factor, more, rounded)| {
        let rounding = if decimals.is_some() { printed } else { (resolution * factor * 0.51).max(*rounded) };
        (ours * factor + more - theirs).abs() <= rounding.max(theirs.abs() * 1e-9) * 1.000_001
    })
}

/// The number and the name of a field's JSON: a bare value, or an object of value and name.
fn parts(value: &Value) -> (Option<f64>, Option<&str>) {
    match value {
        Value::Object(object) => {
            let name = object.get("name").and_then(Value::as_str);
            let inner = object.get("value").unwrap_or(&Value::Null);
            (inner.as_f64().or_else(|| inner.as_str()?.trim().parse().ok()), name.or_else(|| inner.as_str()))
        }
        Value::String(text) => (text.trim().parse().ok(), Some(text.trim())),
        _ => (value.as_f64(), None),
    }
}

/// Whether two fields say the same. A time is compared by its words: its number is in units of the wire in C.
pub fn same(info: Option<&FieldInfo>, ours: &Value, theirs: &Value) -> bool {
    if let (Value::Array(ours), Value::Array(theirs)) = (ours, theirs) {
        return ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(info, ours, theirs));
    }
    // canboatjs has the name alone of a bit that is set, and nothing for one without a name.
    if theirs.is_null() && ours.get("name") == Some(&Value::Null) {
        return true;
    }
    let ((our_number, our_name), (their_number, their_name)) = (parts(ours), parts(theirs));
    let time = |name: Option<&str>| name.and_then(seconds);
    if ours == theirs || (time(our_name).is_some() && time(our_name) == time(their_name)) {
        return true;
    }
    let one_name = our_name.is_none() || their_name.is_none() || our_name == their_name;
    match (our_number, their_number) {
        (Some(ours), Some(theirs)) => one_name && close(info, ours, theirs, None),
        // One side gives the code alone, or its name alone.
        _ => our_name.is_some() && our_name == their_name,
    }
}

/// A field as canboat's text prints it: `12.5 deg`, `Unknown`, `Fixed`, `"text"`.
pub fn same_text(info: Option<&FieldInfo>, ours: Option<&Value>, theirs: &str) -> bool {
    let Some(ours) = ours else { return matches!(theirs, "Unknown" | "" | "None" | "ERROR") };
    let (number, name) = parts(ours);
    let first = theirs.split(' ').next().unwrap_or("");
    let decimals = first.split_once('.').map_or(0, |(_, behind)| behind.len());
    if let (Some(ours), Ok(number)) = (number, first.parse::<f64>()) {
        // A field of another PGN (126208) or by a key (130824) has the unit of that.
        let ratio = theirs.ends_with('%') && close(None, ours * 100.0, number, Some(decimals));
        if ratio || close(info, ours, number, Some(decimals)) {
            return true;
        }
    }
    let bits = ours.as_array().map(|bits| bits.iter().filter_map(|bit| parts(bit).1).collect::<Vec<_>>().join(","));
    let plain = |text: &str| text.trim_matches('"').trim_end_matches(".0000").trim_end_matches(".000").to_owned();
    let texts = [name.map(str::to_owned), bits, Some(ours.to_string())];
    texts.into_iter().flatten().any(|text| plain(&text) == plain(theirs))
}

fn infos(pgn: u32) -> impl Iterator<Item = &'static FieldInfo> {
    Database::embedded(Units::Si).pgn_variants(pgn).flat_map(|variant| variant.fields)
}

/// Compares the fields of one message; `key` is how the other side names a field.
pub fn fields(pgn: u32, ours: &Value, theirs: &Map<String, Value>, key: fn(&FieldInfo) -> &str, tally: &mut Tally) {
    // A field that is not available has no value, or stands as bytes without one.
    let told = |value: &Value| !value.is_null() && value.get("value") != Some(&Value::Null);
    for (name, expected) in theirs.iter().filter(|(_, value)| told(value)) {
        if let (Value::Array(sets), true) = (expected, name.starts_with("list")) {
            for (at, set) in sets.iter().enumerate() {
                if let Some(set) = set.as_object() {
                    fields(pgn, &ours[name][at], set, key, tally);
                }
            }
            continue;
        }
        let info = infos(pgn).find(|info| key(info) == name);
        let found = ours.get(name).or_else(|| ours.get(info?.name));
        if found.is_some_and(|found| same(info, found, expected)) {
            tally.equal += 1;
        } else {
            show(&format!("PGN {pgn} {name}: ours {found:?}, expected {expected}"));
            tally.differs(format!("{pgn} {name}"));
        }
    }
}

/// Compares the fields of one message with a line of canboat's text behind the PGN's name.
pub fn text_fields(pgn: u32, ours: &Value, theirs: &str, tally: &mut Tally) {
    for field in theirs.split("; ") {
        let Some((name, expected)) = field.split_once(" = ") else { continue };
        let expected = expected.split(" (bytes = ").next().unwrap_or(expected).trim();
        let name = name.trim();
        let (base, set) = match name.rsplit_once(' ').and_then(|(base, set)| Some((base, set.parse::<usize>().ok()?))) {
            Some((base, set)) if ours.get(name).is_none() && set > 0 => (base, Some(set - 1)),
            _ => (name, None),
        };
        let info = infos(pgn).find(|info| info.name == base);
        let found = set.map_or_else(|| ours.get(base), |set| ours["list"].get(set)?.get(base));
        if same_text(info, found, expected) {
            tally.equal += 1;
        } else {
            show(&format!("PGN {pgn} {name}: ours {found:?}, expected {expected}"));
            tally.differs(format!("{pgn} {name}"));
        }
    }
}

/// Compares the values of our readings with the fields that the table says they come from.
pub fn readings(pgn: u32, ours: &[Decoded], theirs: &Value, tally: &mut Tally) {
    let Some(spec) = table().find(|spec| spec.pgn == pgn) else { return };
    for reading in ours.iter().filter(|reading| reading.quality == Quality::Good) {
        match agrees(spec, reading, theirs) {
            Some(true) => tally.readings += 1,
            Some(false) => {
                show(&format!("PGN {pgn} {}: {:?}, expected {theirs}", reading.path, reading.value));
                tally.differs(format!("reading {pgn} {}", reading.path));
            }
            None => {}
        }
    }
}

/// Whether a reading is what the other side says; `None` where it is a word of Signal K's or made of several fields.
fn agrees(spec: &PgnSpec, reading: &Decoded, theirs: &Value) -> Option<bool> {
    let rule = spec.rules.iter().find(|rule| match rule.path {
        Path::Fixed(path) => matches(path, &reading.path),
        Path::By(_, paths) => paths.iter().any(|(_, path)| matches(path, &reading.path)),
    });
    let told = |value: &Value| {
        let (number, name) = parts(value);
        name.and_then(seconds).or(number)
    };
    let number = |name: &str| {
        let lines = theirs.get("list").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let found: Vec<f64> = [theirs].into_iter().chain(lines).filter_map(|set| told(set.get(name)?)).collect();
        (infos(spec.pgn).find(|info| info.name == name), found)
    };
    let is = |name: &str, ours: f64| {
        let (info, theirs) = number(name);
        theirs.iter().any(|theirs| close(info, ours, *theirs, None))
    };
    // The special of 127250: a magnetic heading that a deviation corrects is made of two fields.
    let is_corrected = theirs.get("Deviation").and_then(told).is_some();
    let take = match (rule, &*reading.path) {
        (Some(rule), _) => rule.take,
        (None, "navigation.headingCompass") => Take::Number("Heading"),
        (None, "navigation.headingMagnetic") if !is_corrected => Take::Number("Heading"),
        _ => return None,
    };
    Some(match (&take, &reading.value) {
        (Take::Number(name), Read::Float(value)) => is(name, *value),
        (Take::Turn(name), Read::Float(value)) => is(name, *value) || is(name, *value + std::f64::consts::TAU),
        (Take::Whole(name), Read::Integer(value)) => is(name, *value as f64),
        (Take::Switch(name), Read::Bool(value)) => is(name, f64::from(u8::from(*value))),
        (Take::Position(north, east), Read::Position { latitude, longitude }) => {
            is(north, *latitude) && is(east, *longitude)
        }
        (Take::Text(name), Read::Text(text)) => {
            theirs.get(name).and_then(Value::as_str).is_some_and(|t| t.trim() == &**text)
        }
        _ => return None,
    })
}

/// `hh:mm:ss.sss` in seconds.
fn seconds(text: &str) -> Option<f64> {
    let (sign, text) = text.strip_prefix('-').map_or((1.0, text), |text| (-1.0, text));
    let parts: Vec<f64> = text.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    match parts.as_slice() {
        &[hours, minutes, seconds] => Some(sign * (hours * 3_600.0 + minutes * 60.0 + seconds)),
        _ => None,
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == path,
        Some((front, behind)) => path
            .strip_prefix(front)
            .and_then(|rest| rest.strip_suffix(behind))
            .is_some_and(|id| id.parse::<u8>().is_ok()),
    }
}

fn show(what: &str) {
    if std::env::var_os("HAWSER_CORPUS_SHOW").is_some() {
        println!("{what}");
    }
}
