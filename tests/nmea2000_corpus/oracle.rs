//! Our fields against those that other programs printed of the same messages.

use std::collections::BTreeMap;

use canboat::schema::FieldInfo;
use canboat::{Database, Units};
use serde_json::{Map, Value};

/// What a comparison found, field by field.
#[derive(Debug, Default)]
pub struct Tally {
    /// Messages of ours.
    pub messages: u64,
    /// Messages that the other side printed.
    pub expected: u64,
    /// Fields that agree.
    pub equal: u64,
    /// Fields that do not, by what they are.
    pub different: BTreeMap<String, u64>,
    /// Readings whose value is the other side's.
    pub readings: u64,
}

impl Tally {
    /// Counts a field as equal or as a difference of this name.
    pub fn count(&mut self, same: bool, what: impl FnOnce() -> String) {
        if same {
            self.equal += 1;
        } else {
            *self.different.entry(what()).or_default() += 1;
        }
    }
}

/// The number and the name of a field's JSON: a bare value, or an object of value and name.
fn parts(value: &Value) -> (Option<f64>, Option<&str>) {
    match value {
        Value::Object(object) => {
            let name = object.get("name").and_then(Value::as_str);
            let inner = object.get("value").unwrap_or(&Value::Null);
            (inner.as_f64().or_else(|| inner.as_str()?.trim().parse().ok()), name.or_else(|| inner.as_str()))
        }
        Value::String(text) => (text.trim().parse().ok(), Some(text.as_str())),
        _ => (value.as_f64(), None),
    }
}

/// What a number in our unit is in the other side's, which keeps these units even in SI.
fn factors(info: Option<&FieldInfo>) -> &'static [f64] {
    match info.and_then(|info| info.unit) {
        Some("ratio") => &[1.0, 100.0],
        Some("m3") => &[1.0, 1_000.0],
        Some("m3/s") => &[1.0, 3.6e6],
        Some("Hz") => &[1.0, 60.0],
        Some("C") => &[1.0, 1.0 / 3_600.0],
        Some("m/s") => &[1.0, 3.6],
        Some("J") => &[1.0, 1.0 / 3.6e6],
        Some("Pa.s") => &[1.0, 1_000.0],
        Some("Pa/s") => &[1.0, 3_600.0],
        _ => &[1.0],
    }
}

/// Whether two fields say the same. Numbers may differ by what printing rounds off.
pub fn same(info: Option<&FieldInfo>, ours: &Value, theirs: &Value) -> bool {
    if let (Value::Array(ours), Value::Array(theirs)) = (ours, theirs) {
        return ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(info, ours, theirs));
    }
    if ours == theirs {
        return true;
    }
    let ((our_number, our_name), (their_number, their_name)) = (parts(ours), parts(theirs));
    let names = match (our_name, their_name) {
        (Some(ours), Some(theirs)) => ours.trim() == theirs.trim(),
        _ => true,
    };
    let resolution = info.and_then(|info| info.resolution).unwrap_or(1.0).abs().min(1.0);
    match (our_number, their_number) {
        (Some(ours), Some(theirs)) => {
            let close =
                |factor: &f64| (ours * factor - theirs).abs() <= (resolution * factor * 0.51).max(theirs.abs() * 1e-9);
            factors(info).iter().any(close)
        }
        _ => names && our_name.is_some() && their_name.is_some(),
    }
}

/// Compares the fields of one message; `key` is how the other side names a field.
pub fn fields(
    pgn: u64,
    ours: &Map<String, Value>,
    theirs: &Map<String, Value>,
    key: fn(&FieldInfo) -> &str,
    tally: &mut Tally,
) {
    let db = Database::embedded(Units::Si);
    let pgn_number = u32::try_from(pgn).unwrap_or(0);
    let infos = || db.pgn_variants(pgn_number).flat_map(|variant| variant.fields);
    for (name, expected) in theirs.iter().filter(|(name, value)| !value.is_null() && !name.starts_with("Reserved")) {
        if let Value::Array(sets) = expected
            && name.starts_with("list")
        {
            let our_sets = ours.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            for (at, set) in sets.iter().enumerate() {
                let (empty, none) = (Map::new(), Map::new());
                let ours = our_sets.get(at).and_then(Value::as_object).unwrap_or(&empty);
                fields(pgn, ours, set.as_object().unwrap_or(&none), key, tally);
            }
            continue;
        }
        let info = infos().find(|info| key(info) == name);
        let found = ours.get(name).or_else(|| ours.get(info?.name));
        let same = found.is_some_and(|found| same(info, found, expected));
        if !same && std::env::var_os("HAWSER_CORPUS_SHOW").is_some() {
            println!("PGN {pgn} {name}: ours {found:?}, expected {expected}");
        }
        tally.count(same, || format!("{pgn} {name}"));
    }
}
