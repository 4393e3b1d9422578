//! Compares field by field. Units of the other program are turned into ours, never the other way.

use std::collections::{BTreeMap, HashMap};
use std::f64::consts::PI;

use hawser::clock::Stamp;
use hawser::reading::{Context, Value};
use hawser::wire::Decoded;
use hawser::wire::nmea0183::{ChecksumRule, Decoder, LineSplitter, Sentence};
use serde_json::Value as Json;

use super::service::{self, SERVICE};
use super::sky::Sky;

pub const KNOT: f64 = 1852.0 / 3600.0;
pub const DEG: f64 = PI / 180.0;

/// What a comparison gave.
#[derive(Debug, Default)]
pub struct Tally {
    pub sentences: u64,
    pub rejected: u64,
    pub equal: u64,
    pub different: BTreeMap<String, u64>,
}

impl Tally {
    pub fn count(&mut self, field: &str, equal: bool, told: impl FnOnce() -> String) {
        if equal {
            self.equal += 1;
            return;
        }
        *self.different.entry(field.to_owned()).or_default() += 1;
        if std::env::var_os("HAWSER_CORPUS_SHOW").is_some() {
            println!("# {field}: {}", told());
        }
    }

    /// `theirs` in our unit; `None` when they say that there is no value.
    pub fn float(&mut self, field: &str, ours: Option<&Value>, theirs: Option<f64>, tolerance: f64) {
        let mine = match ours {
            Some(Value::Float(x)) => Some(*x),
            #[allow(clippy::cast_precision_loss, reason = "small counts")]
            Some(Value::Integer(i)) => Some(*i as f64),
            _ => None,
        };
        let equal = match (mine, theirs) {
            (None, None) => true,
            (Some(a), Some(b)) => (a - b).abs() <= tolerance,
            _ => false,
        };
        self.count(field, equal, || format!("ours {ours:?}, theirs {theirs:?}"));
    }

    pub fn text(&mut self, field: &str, ours: Option<&Value>, theirs: &str) {
        let mine = match ours {
            Some(Value::Text(text)) => &**text,
            _ => "",
        };
        self.count(field, mine == theirs, || format!("ours {mine:?}, theirs {theirs:?}"));
    }

    pub fn position(&mut self, ours: Option<&Value>, theirs: Option<(f64, f64)>, tolerance: f64) {
        let equal = match (ours, theirs) {
            (Some(Value::Position { latitude, longitude }), Some((lat, lon))) => {
                (latitude - lat).abs() <= tolerance && (longitude - lon).abs() <= tolerance
            }
            (Some(Value::Position { .. }), None) => false,
            (_, theirs) => theirs.is_none(),
        };
        self.count("position", equal, || format!("ours {ours:?}, theirs {theirs:?}"));
    }
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut splitter, mut lines) = (LineSplitter::new(), Vec::new());
    splitter.push(bytes, |line| lines.extend(line.ok().map(<[u8]>::to_vec)));
    splitter.finish(|line| lines.extend(line.ok().map(<[u8]>::to_vec)));
    lines
}

fn without_comments(log: &[u8]) -> Vec<u8> {
    log.split_inclusive(|b| *b == b'\n').filter(|l| l[0] != b'#').flatten().copied().collect()
}

/// The last readings, as far as they came since the last report.
#[derive(Default)]
struct Board {
    epoch: Option<Stamp>,
    own: HashMap<String, Decoded>,
    targets: HashMap<Context, [HashMap<String, Value>; 2]>,
    /// The readings of the last AIS message, by path and instance.
    last: HashMap<String, Value>,
}

impl Board {
    fn take(&mut self, decoded: Vec<Decoded>) {
        let Some(first) = decoded.first() else { return };
        if first.context == Context::OwnShip && first.source.to_string() != "AI" {
            // A new epoch: gpsd forgets the old one.
            if first.observed_at.is_some() && first.observed_at != self.epoch {
                self.own.clear();
                self.epoch = first.observed_at;
            }
            // The variation of a compass (HDG) goes into no report of gpsd.
            let compass = decoded.iter().any(|d| d.path == "navigation.headingMagnetic");
            let kept = decoded.into_iter().filter(|d| !compass || d.path != "navigation.magneticVariation");
            self.own.extend(kept.map(|d| (d.path.clone().into_owned(), d)));
            return;
        }
        let key =
            |d: &Decoded| if d.instance.is_empty() { d.path.to_string() } else { format!("{}#{}", d.path, d.instance) };
        self.last = decoded.iter().map(|d| (key(d), d.value.clone())).collect();
        // A position report replaces the last; static messages of two parts add up.
        let moving = decoded.iter().any(|d| d.path == "navigation.position");
        let kinds = self.targets.entry(first.context).or_default();
        if moving {
            kinds[0].clear();
        }
        kinds[usize::from(!moving)].extend(decoded.into_iter().map(|d| (d.path.into_owned(), d.value)));
    }

    fn target(&self, mmsi: u32) -> HashMap<String, Value> {
        let contexts = [
            Context::Vessel(mmsi),
            Context::AidToNavigation(mmsi),
            Context::ShoreStation(mmsi),
            Context::Aircraft(mmsi),
            Context::OwnShip,
        ];
        let found = contexts.iter().find_map(|c| self.targets.get(c));
        found.map(|[moving, fixed]| fixed.clone().into_iter().chain(moving.clone()).collect()).unwrap_or_default()
    }
}

/// gpsd's `.chk`: the sentences it took, each report behind the sentence that caused it. Ours must be the same
/// sentences.
pub fn against_gpsd(log: &[u8], chk: &[u8]) -> Tally {
    let (mut tally, mut board, mut decoder) = (Tally::default(), Board::default(), Decoder::new());
    let (mut ours, mut silent, mut sky) = (Vec::new(), Decoder::new(), Sky::default());
    for line in lines(&without_comments(log)) {
        if silent.decode(&line, &mut Vec::new()).is_ok() {
            ours.push(line);
        }
    }
    let reported = chk.split(|b| *b == b'\n').map(<[u8]>::trim_ascii_end);
    let theirs: Vec<&[u8]> = reported.filter(|l| matches!(l.first(), Some(b'$' | b'!'))).collect();
    tally.count("sentences", ours == theirs, || format!("ours {}, theirs {}", ours.len(), theirs.len()));
    let mut last_ais = Json::Null;
    for line in chk.split(|b| *b == b'\n') {
        if line.first() != Some(&b'{') {
            let mut decoded = Vec::new();
            let _ = decoder.decode(line, &mut decoded);
            sky.take(&decoded);
            board.take(decoded);
            continue;
        }
        let report: Json = serde_json::from_slice(line).expect("gpsd writes JSON");
        match report["class"].as_str() {
            Some("TPV") => fix(&mut tally, &mut board, &report),
            Some("SKY") => sky.compare(&mut tally, &report),
            Some("ATT") => attitude(&mut tally, &mut board, &report),
            // gpsd repeats the last message with each fix.
            Some("AIS") if report != last_ais => {
                message(&mut tally, &board, &report);
                last_ais = report;
            }
            _ => {}
        }
    }
    tally
}

/// Compares what is fresh in ours with a report of gpsd: it repeats old values and works out some of its own.
fn fresh(tally: &mut Tally, board: &mut Board, report: &Json, name: &str, path: &str, scale: f64, tolerance: f64) {
    let Some(ours) = board.own.remove(path) else { return };
    let theirs = report[name].as_f64();
    if theirs.is_none() && ours.value != Value::Absent {
        // gpsd leaves a field out when it does not trust it; that says nothing about ours.
        return;
    }
    tally.float(name, Some(&ours.value), theirs.map(|x| x * scale), tolerance * scale.abs());
}

fn fix(tally: &mut Tally, board: &mut Board, report: &Json) {
    let stamps: Vec<String> = board.own.values().filter_map(|d| d.observed_at).map(|s| s.to_string()).collect();
    if let (Some(theirs), false) = (report["time"].as_str(), stamps.is_empty()) {
        tally.count("time", stamps.iter().any(|s| s == theirs), || format!("ours {stamps:?}, theirs {theirs}"));
    }
    if let Some(ours) = board.own.remove("navigation.position") {
        let theirs = report["lat"].as_f64().zip(report["lon"].as_f64());
        tally.position(Some(&ours.value), theirs, 6e-10);
    }
    let fields = [
        ("altMSL", "navigation.gnss.antennaAltitude", 1.0, 6e-5),
        ("geoidSep", "navigation.gnss.geoidalSeparation", 1.0, 6e-4),
        ("dgpsAge", "navigation.gnss.differentialAge", 1.0, 0.06),
        ("dgpsSta", "navigation.gnss.differentialReference", 1.0, 0.0),
        ("track", "navigation.courseOverGroundTrue", DEG, 6e-5),
        ("speed", "navigation.speedOverGround", 1.0, 6e-4),
        ("magvar", "navigation.magneticVariation", DEG, 0.06),
        ("depth", "environment.depth.belowTransducer", 1.0, 6e-4),
        ("wspeedr", "environment.wind.speedApparent", 1.0, 0.06),
        ("wspeedt", "environment.wind.speedOverGround", 1.0, 0.06),
        ("wanglet", "environment.wind.directionTrue", DEG, 0.06),
        ("wanglem", "environment.wind.directionMagnetic", DEG, 0.06),
    ];
    for (name, path, scale, tolerance) in fields {
        fresh(tally, board, report, name, path, scale, tolerance);
    }
    // gpsd's angle runs to 360 degrees.
    if let (Some(ours), Some(theirs)) = (board.own.remove("environment.wind.angleApparent"), report["wangler"].as_f64())
    {
        let port = if theirs > 180.0 { theirs - 360.0 } else { theirs };
        tally.float("wangler", Some(&ours.value), Some(port * DEG), 0.06 * DEG);
    }
    board.own.retain(|path, _| {
        path.starts_with("navigation.heading")
            || path.starts_with("navigation.attitude")
            || path == "navigation.rateOfTurn"
    });
}

fn attitude(tally: &mut Tally, board: &mut Board, report: &Json) {
    fresh(tally, board, report, "heading", "navigation.headingTrue", DEG, 6e-4);
    fresh(tally, board, report, "mheading", "navigation.headingMagnetic", DEG, 6e-4);
    fresh(tally, board, report, "pitch", "navigation.attitude.pitch", DEG, 6e-4);
    fresh(tally, board, report, "roll", "navigation.attitude.roll", DEG, 6e-4);
    fresh(tally, board, report, "rot", "navigation.rateOfTurn", DEG / 60.0, 6e-4);
}

/// One JSON object for each message, in the order of the messages.
pub fn against_messages(log: &[u8], json: &[u8]) -> Tally {
    let (mut tally, mut decoder) = (Tally::default(), Decoder::new());
    let mut reports: Vec<Json> =
        json.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_slice(l).unwrap()).collect();
    reports.reverse();
    let mut board = Board::default();
    // All messages first: an object may stand for two parts of one (type 24).
    let mut boards = Vec::new();
    for line in lines(&without_comments(log)) {
        let mut decoded = Vec::new();
        let _ = decoder.decode(&line, &mut decoded);
        if let Some(first) = decoded.first() {
            boards.push((mmsi(first.context), decoded));
        }
    }
    let mut boards = boards.into_iter();
    while let Some(report) = reports.pop() {
        let wanted = u32::try_from(report["mmsi"].as_u64().unwrap_or(0)).unwrap();
        // Ten digits are no MMSI: we refuse the message.
        if wanted > 999_999_999 {
            continue;
        }
        let parts = if report["type"] == 24 && report["part_num"].is_null() { 2 } else { 1 };
        let mut ahead = boards.clone();
        let found: Vec<_> = ahead.by_ref().filter(|(mmsi, _)| [wanted, OWN_SHIP].contains(mmsi)).take(parts).collect();
        if found.len() < parts {
            tally.count("message", false, || format!("none of ours for {report}"));
            continue;
        }
        boards = ahead;
        board.targets.clear();
        found.into_iter().for_each(|(_, decoded)| board.take(decoded));
        message(&mut tally, &board, &report);
    }
    tally
}

/// Messages of the own station (VDO) are the own ship's, whatever MMSI they carry.
const OWN_SHIP: u32 = 0;

fn mmsi(context: Context) -> u32 {
    match context {
        Context::OwnShip => OWN_SHIP,
        Context::Vessel(m) | Context::AidToNavigation(m) | Context::ShoreStation(m) | Context::Aircraft(m) => m,
    }
}

/// Signal K's words for gpsd's numbers; those without a word are not said.
const STATES: [&str; 15] = [
    "motoring",
    "anchored",
    "not under command",
    "restricted manouverability",
    "constrained by draft",
    "moored",
    "aground",
    "fishing",
    "sailing",
    "hazardous material high speed",
    "hazardous material wing in ground",
    "towing astern",
    "pushing ahead or towing alongside",
    "",
    "ais-sart",
];

/// Compares one AIS message; `scaled` says whether numbers are in units or as they are sent.
fn message(tally: &mut Tally, board: &Board, report: &Json) {
    let kind = report["type"].as_u64().unwrap_or(0);
    let mmsi = u32::try_from(report["mmsi"].as_u64().unwrap_or(0)).unwrap();
    if mmsi > 999_999_999 {
        return;
    }
    if SERVICE.contains(&kind) {
        return service::message(tally, &board.last, report, kind);
    }
    let ours = board.target(mmsi);
    let scaled = report["scaled"].as_bool().unwrap_or(true);
    let parts = |whole: f64| if scaled { 1.0 } else { whole };
    let place = parts(if kind == 27 { 600.0 } else { 600_000.0 });
    if let Some((lat, lon)) = report["lat"].as_f64().zip(report["lon"].as_f64()) {
        let (lat, lon) = (lat / place, lon / place);
        let theirs = ((-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon)).then_some((lat, lon));
        // gpsd writes type 27 with four digits.
        let tolerance: f64 = if kind == 27 { 6e-5 } else { 6e-8 };
        tally.position(ours.get("navigation.position"), theirs, tolerance.max(libais(report)));
    }
    moving(tally, &ours, report, kind, scaled);
    fixed(tally, &ours, report, scaled);
}

/// libais keeps f32.
fn libais(report: &Json) -> f64 {
    let theirs = report["spare"].is_null() && report["sync_state"].is_null() && report["part_num"].is_null();
    if theirs { 0.0 } else { 1e-5 }
}

fn moving(tally: &mut Tally, ours: &HashMap<String, Value>, report: &Json, kind: u64, scaled: bool) {
    let whole = matches!(kind, 9 | 27);
    let tenths = if scaled || whole { 1.0 } else { 0.1 };
    if let Some(speed) = report["speed"].as_f64() {
        let none = if kind == 27 {
            63.0
        } else if whole {
            1023.0
        } else {
            1023.0 * 0.1
        };
        let knots = speed * tenths;
        let theirs = ((knots - none).abs() > 0.05).then_some(knots * KNOT);
        tally.float("speed", ours.get("navigation.speedOverGround"), theirs, 1e-5);
    }
    if let Some(course) = report["course"].as_f64() {
        let tenths = if scaled || kind == 27 { 1.0 } else { 0.1 };
        let theirs = Some(course * tenths).filter(|c| *c < 359.95).map(|c| c * DEG);
        tally.float("course", ours.get("navigation.courseOverGroundTrue"), theirs, 1e-5);
    }
    if let Some(heading) = report["heading"].as_f64() {
        let theirs = Some(heading).filter(|h| *h < 360.0).map(|h| h * DEG);
        tally.float("heading", ours.get("navigation.headingTrue"), theirs, 1e-9);
    }
    if matches!(kind, 1..=3) {
        let turn = match &report["turn"] {
            Json::String(text) => text.parse().ok(),
            Json::Number(n) if scaled => n.as_f64(),
            Json::Number(n) => n.as_f64().filter(|c| c.abs() < 127.0).map(|c| c.signum() * (c / 4.733).powi(2)),
            _ => None,
        };
        let ours = ours.get("navigation.rateOfTurn");
        tally.float("turn", ours, turn.map(|t: f64| t * DEG / 60.0), 0.51 * DEG / 60.0);
    }
    if let Some(state) = report["status"].as_u64() {
        let word = STATES.get(usize::try_from(state).unwrap()).copied().unwrap_or("");
        tally.text("status", ours.get("navigation.state"), word);
    }
}

fn fixed(tally: &mut Tally, ours: &HashMap<String, Value>, report: &Json, scaled: bool) {
    for (name, path) in [
        ("shipname", "name"),
        ("name", "name"),
        ("callsign", "communication.callsignVhf"),
        ("destination", "navigation.destination.commonName"),
    ] {
        if let Some(theirs) = report[name].as_str() {
            tally.text(name, ours.get(path), theirs.trim());
        }
    }
    if let Some(imo) = report["imo"].as_u64().or_else(|| report["imo"].as_str().and_then(|t| t.parse().ok())) {
        let theirs = if imo == 0 { String::new() } else { format!("IMO {imo}") };
        tally.text("imo", ours.get("registrations.imo"), &theirs);
    }
    if let Some(eta) = report["eta"].as_str() {
        let theirs = if eta.starts_with("00-") || eta.contains("T24") || eta.contains(":60") { "" } else { eta };
        tally.text("eta", ours.get("navigation.destination.eta"), theirs);
    }
    if let Some(draught) = report["draught"].as_f64() {
        let metres = if scaled { draught } else { draught / 10.0 };
        tally.float("draught", ours.get("design.draft.current"), Some(metres).filter(|m| *m > 0.0), 1e-6);
    }
    if let Some(kind) = report["shiptype"].as_f64() {
        let theirs = Some(kind).filter(|k| *k > 0.0);
        tally.float("shiptype", ours.get("design.aisShipType"), theirs, 0.0);
    }
    if let Some(kind) = report["aid_type"].as_f64() {
        tally.float("aid_type", ours.get("atonType"), Some(kind), 0.0);
    }
    for (name, path, ends) in [
        ("length", "design.length.overall", ["to_bow", "to_stern"]),
        ("beam", "design.beam", ["to_port", "to_starboard"]),
    ] {
        if let (Some(a), Some(b)) = (report[ends[0]].as_f64(), report[ends[1]].as_f64()) {
            tally.float(name, ours.get(path), Some(a + b).filter(|m| *m > 0.0), 0.0);
        }
    }
    if let Some(time) = report["timestamp"].as_str() {
        let theirs = if time.starts_with("0000") || time.contains("T24") { "" } else { time };
        let ours = ours.get("navigation.datetime").map(|v| match v {
            Value::Text(text) => Value::text(&text.replace(".000Z", "Z")),
            other => other.clone(),
        });
        tally.text("timestamp", ours.as_ref(), theirs);
    }
}

/// The crates `nmea` (sentences with a right checksum only) and `ais`, which keep f32 in places.
pub fn against_crates(log: &[u8]) -> Tally {
    let (mut tally, mut decoder, mut ais) = (Tally::default(), Decoder::new(), ais::AisParser::new());
    for line in lines(log) {
        let mut decoded = Vec::new();
        let sentence = decoder.decode(&line, &mut decoded).is_ok();
        let ours: HashMap<&str, &Value> = decoded.iter().map(|d| (&*d.path, &d.value)).collect();
        if line[0] == b'!' {
            if let Ok(ais::AisFragments::Complete(whole)) = ais.parse(&line, true) {
                ais_crate(&mut tally, &ours, whole.message);
            }
        } else if sentence
            && Sentence::parse(&line, ChecksumRule::Required).is_ok()
            && let Ok(theirs) = nmea::parse_bytes(&line)
        {
            nmea_crate(&mut tally, &ours, theirs);
        }
    }
    tally
}

fn ais_crate(tally: &mut Tally, ours: &HashMap<&str, &Value>, message: Option<ais::messages::AisMessage>) {
    use ais::messages::AisMessage as M;
    let (lat, lon, speed, course) = match message {
        Some(M::PositionReport(m)) => (m.latitude, m.longitude, m.speed_over_ground, m.course_over_ground),
        Some(M::StandardClassBPositionReport(m)) => {
            (m.latitude, m.longitude, m.speed_over_ground, m.course_over_ground)
        }
        Some(M::ExtendedClassBPositionReport(m)) => {
            (m.latitude, m.longitude, m.speed_over_ground, m.course_over_ground)
        }
        Some(M::BaseStationReport(m)) => (m.latitude, m.longitude, None, None),
        Some(M::AidToNavigationReport(m)) => (m.latitude, m.longitude, None, None),
        Some(M::StaticAndVoyageRelatedData(m)) => {
            let clean = m.vessel_name.split('@').next().unwrap_or("").trim().to_owned();
            return tally.text("shipname", ours.get("name").copied(), &clean);
        }
        _ => return,
    };
    let theirs = lat.map(f64::from).zip(lon.map(f64::from));
    tally.position(ours.get("navigation.position").copied(), theirs, 1e-5);
    let speed = speed.map(|s| f64::from(s) * KNOT);
    tally.float("speed", ours.get("navigation.speedOverGround").copied(), speed, 1e-5);
    let course = course.map(|c| f64::from(c) * DEG);
    tally.float("course", ours.get("navigation.courseOverGroundTrue").copied(), course, 1e-5);
}

fn nmea_crate(tally: &mut Tally, ours: &HashMap<&str, &Value>, theirs: nmea::ParseResult) {
    use nmea::ParseResult as P;
    let get = |path: &str| ours.get(path).copied();
    let wide = |x: Option<f32>, scale: f64| x.map(|x| f64::from(x) * scale);
    match theirs {
        P::RMC(m) => {
            let valid = m.status_of_fix == nmea::sentences::rmc::RmcStatusOfFix::Autonomous;
            if valid {
                tally.position(get("navigation.position"), m.lat.zip(m.lon), 1e-9);
                tally.float("speed", get("navigation.speedOverGround"), wide(m.speed_over_ground, KNOT), 1e-4);
                tally.float("track", get("navigation.courseOverGroundTrue"), wide(m.true_course, DEG), 1e-6);
            }
        }
        P::GGA(m) if m.fix_type != Some(nmea::sentences::FixType::Invalid) => {
            tally.position(get("navigation.position"), m.latitude.zip(m.longitude), 1e-9);
            tally.float("altitude", get("navigation.gnss.antennaAltitude"), wide(m.altitude, 1.0), 1e-3);
            tally.float("hdop", get("navigation.gnss.horizontalDilution"), wide(m.hdop, 1.0), 1e-5);
        }
        P::GLL(m) if m.valid => {
            tally.position(get("navigation.position"), Some((m.latitude.unwrap(), m.longitude.unwrap())), 1e-9);
        }
        P::VTG(m) => {
            tally.float("speed", get("navigation.speedOverGround"), wide(m.speed_over_ground, KNOT), 1e-4);
            tally.float("track", get("navigation.courseOverGroundTrue"), wide(m.true_course, DEG), 1e-6);
        }
        P::HDT(m) => tally.float("heading", get("navigation.headingTrue"), wide(m.heading, DEG), 1e-6),
        P::DPT(m) => tally.float("depth", get("environment.depth.belowTransducer"), m.water_depth, 1e-9),
        P::MTW(m) => {
            let kelvin = m.temperature.map(|c| c + 273.15);
            tally.float("water", get("environment.water.temperature"), kelvin, 1e-9);
        }
        P::VHW(m) => {
            let speed = m.relative_speed_knots.map(|k| k * KNOT);
            tally.float("water speed", get("navigation.speedThroughWater"), speed, 1e-9);
        }
        P::MWV(m) => wind(tally, ours, &m),
        _ => {}
    }
}

fn wind(tally: &mut Tally, ours: &HashMap<&str, &Value>, m: &nmea::sentences::MwvData) {
    let relative = m.reference == Some(nmea::sentences::mwv::MwvReference::Relative);
    let [angle, speed] = if relative {
        ["environment.wind.angleApparent", "environment.wind.speedApparent"]
    } else {
        ["environment.wind.angleTrueWater", "environment.wind.speedTrue"]
    };
    let port = |deg: f64| if deg > 180.0 { deg - 360.0 } else { deg };
    let theirs = m.wind_direction.map(|d| port(f64::from(d)) * DEG);
    tally.float("wind angle", ours.get(angle).copied(), theirs, 1e-6);
    let theirs = m.wind_speed.map(|s| f64::from(s) * KNOT);
    tally.float("wind speed", ours.get(speed).copied(), theirs, 1e-5);
}
