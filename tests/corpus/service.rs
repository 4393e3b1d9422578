//! AIS messages that are not about a vessel's way: what gpsd and libais say of them against ours. A count that we leave
//! out is zero there.

use std::collections::HashMap;

use hawser::reading::Value;
use serde_json::Value as Json;

use super::oracle::{DEG, KNOT, Tally};

/// The types compared here.
pub const SERVICE: [u64; 15] = [6, 7, 8, 10, 12, 13, 14, 15, 16, 17, 20, 22, 23, 25, 26];

const AIS: &str = "communication.ais.";

/// Their name, our path behind [`AIS`] with its instance, and how many of ours make one of theirs.
const COUNTS: [(&str, &str, f64); 48] = [
    ("dest_mmsi", "destination", 1.0),
    ("mmsi1", "acknowledged#1", 1.0),
    ("mmsi2", "acknowledged#2", 1.0),
    ("mmsi3", "acknowledged#3", 1.0),
    ("mmsi4", "acknowledged#4", 1.0),
    ("mmsi1", "interrogated#1", 1.0),
    ("type1_1", "interrogatedMessage#1.1", 1.0),
    ("offset1_1", "slotOffset#1.1", 1.0),
    ("type1_2", "interrogatedMessage#1.2", 1.0),
    ("offset1_2", "slotOffset#1.2", 1.0),
    ("mmsi2", "interrogated#2", 1.0),
    ("type2_1", "interrogatedMessage#2.1", 1.0),
    ("offset2_1", "slotOffset#2.1", 1.0),
    ("mmsi1", "assigned#1", 1.0),
    ("offset1", "slotOffset#1", 1.0),
    ("increment1", "slotIncrement#1", 1.0),
    ("mmsi2", "assigned#2", 1.0),
    ("offset2", "slotOffset#2", 1.0),
    ("increment2", "slotIncrement#2", 1.0),
    ("offset1", "slotOffset#1", 1.0),
    ("number1", "slots#1", 1.0),
    ("timeout1", "slotTimeout#1", 1.0),
    ("increment1", "slotIncrement#1", 1.0),
    ("offset2", "slotOffset#2", 1.0),
    ("number2", "slots#2", 1.0),
    ("timeout2", "slotTimeout#2", 1.0),
    ("increment2", "slotIncrement#2", 1.0),
    ("offset3", "slotOffset#3", 1.0),
    ("number3", "slots#3", 1.0),
    ("timeout3", "slotTimeout#3", 1.0),
    ("increment3", "slotIncrement#3", 1.0),
    ("offset4", "slotOffset#4", 1.0),
    ("number4", "slots#4", 1.0),
    ("timeout4", "slotTimeout#4", 1.0),
    ("increment4", "slotIncrement#4", 1.0),
    ("channel_a", "channel#A", 1.0),
    ("channel_b", "channel#B", 1.0),
    ("txrx", "transmitReceiveMode", 1.0),
    ("power", "lowPower", 1.0),
    ("band_a", "narrowBand#A", 1.0),
    ("band_b", "narrowBand#B", 1.0),
    ("dest1", "destination#1", 1.0),
    ("dest2", "destination#2", 1.0),
    ("txrx", "transmitReceiveMode", 1.0),
    ("stationtype", "stationType", 1.0),
    ("shiptype", "shipType", 1.0),
    ("interval", "reportingInterval", 1.0),
    ("quiet", "quietTime", 60.0),
];

/// Which rows of [`COUNTS`] a type has.
fn rows(kind: u64) -> std::ops::Range<usize> {
    match kind {
        6 | 10 | 12 | 25 | 26 => 0..1,
        7 | 13 => 1..5,
        15 => 5..13,
        16 => 13..19,
        20 => 19..35,
        22 => 35..43,
        23 => 43..48,
        _ => 0..0,
    }
}

fn number(value: &Json) -> Option<f64> {
    value.as_f64().or_else(|| value.as_bool().map(|b| f64::from(u8::from(b)))).or_else(|| value.as_str()?.parse().ok())
}

fn ours_as_number(value: Option<&Value>) -> f64 {
    match value {
        Some(Value::Float(x)) => *x,
        Some(Value::Integer(i)) => i32::try_from(*i).map_or(f64::NAN, f64::from),
        Some(Value::Bool(b)) => f64::from(u8::from(*b)),
        _ => 0.0,
    }
}

/// Compares one message with the readings of ours, by path and instance.
pub fn message(tally: &mut Tally, ours: &HashMap<String, Value>, report: &Json, kind: u64) {
    for (name, path, scale) in &COUNTS[rows(kind)] {
        if let Some(theirs) = number(&report[*name]) {
            let mine = ours_as_number(ours.get(&format!("{AIS}{path}")));
            tally.count(name, (mine - theirs * scale).abs() < 1e-9, || {
                format!("ours {mine}, theirs {theirs}: {report}")
            });
        }
    }
    if let (22 | 23, Some(west)) = (kind, number(&report["sw_lon"])) {
        let south = number(&report["sw_lat"]).unwrap_or(f64::NAN);
        tally.position(ours.get(&format!("{AIS}area#southWest")), Some((south, west)), 1e-5);
        let theirs = number(&report["ne_lat"]).zip(number(&report["ne_lon"]));
        tally.position(ours.get(&format!("{AIS}area#northEast")), theirs, 1e-5);
    }
    if let (22, Some(zone)) = (kind, number(&report["zonesize"])) {
        tally.float("zonesize", ours.get(&format!("{AIS}transitionalZone")), Some((zone + 1.0) * 1_852.0), 1e-9);
    }
    if let (17, Some(place)) = (kind, report["lat"].as_f64().zip(report["lon"].as_f64())) {
        // gpsd writes one digit.
        tally.position(ours.get("navigation.position"), Some(place), 0.05);
    }
    contents(tally, ours, report);
    if kind == 8 {
        weather(tally, ours, report);
    }
}

/// Text, application and binary contents.
fn contents(tally: &mut Tally, ours: &HashMap<String, Value>, report: &Json) {
    let get = |name: &str| ours.get(&format!("{AIS}{name}"));
    if let Some(text) = report["text"].as_str() {
        tally.text("text", get("safetyText"), text.trim());
    }
    if let (Some(area), Some(function)) = (report["dac"].as_u64(), report["fid"].as_u64()) {
        tally.text("application", get("application"), &format!("{area}/{function}"));
    }
    if let Some(application) = report["app_id"].as_u64().filter(|_| report["structured"] == true) {
        tally.text("application", get("application"), &format!("{}/{}", application >> 6, application & 63));
    }
    if let Some((_, digits)) = report["data"].as_str().and_then(|data| data.split_once(':')) {
        let name = if report["type"] == 17 { "differentialCorrections" } else { "binary" };
        tally.text("data", get(name), digits);
    }
}

/// Their name, our path, the number of theirs that makes one of ours, what is added, and where theirs are no values.
const WEATHER: [(&str, &str, f64, f64, f64); 29] = [
    ("wspeed", "environment.wind.speedOverGround", KNOT, 0.0, 127.0),
    ("wgust", "environment.wind.gust", KNOT, 0.0, 127.0),
    ("wdir", "environment.wind.directionTrue", DEG, 0.0, 360.0),
    ("wgustdir", "environment.wind.gustDirectionTrue", DEG, 0.0, 360.0),
    ("airtemp", "environment.outside.temperature", 1.0, 273.15, 60.1),
    ("humidity", "environment.outside.relativeHumidity", 0.01, 0.0, 101.0),
    ("dewpoint", "environment.outside.dewPointTemperature", 1.0, 273.15, 50.1),
    ("pressure", "environment.outside.pressure", 100.0, 0.0, 1_202.0),
    ("visibility", "environment.outside.horizontalVisibility", 1_852.0, 0.0, 25.1),
    ("waterlevel", "environment.water.level", 1.0, 0.0, 30.0),
    ("cspeed", "environment.current.drift", KNOT, 0.0, 25.1),
    ("cdir", "environment.current.setTrue", DEG, 0.0, 360.0),
    ("cspeed2", "environment.current.drift#2", KNOT, 0.0, 25.1),
    ("cdir2", "environment.current.setTrue#2", DEG, 0.0, 360.0),
    ("cdepth2", "environment.current.depth#2", 1.0, 0.0, 31.0),
    ("cspeed3", "environment.current.drift#3", KNOT, 0.0, 25.1),
    ("cdir3", "environment.current.setTrue#3", DEG, 0.0, 360.0),
    ("cdepth3", "environment.current.depth#3", 1.0, 0.0, 31.0),
    ("waveheight", "environment.water.waves.significantHeight", 1.0, 0.0, 25.1),
    ("waveperiod", "environment.water.waves.period", 1.0, 0.0, 63.0),
    ("wavedir", "environment.water.waves.directionTrue", DEG, 0.0, 360.0),
    ("swellheight", "environment.water.swell.height", 1.0, 0.0, 25.1),
    ("swellperiod", "environment.water.swell.period", 1.0, 0.0, 63.0),
    ("swelldir", "environment.water.swell.directionTrue", DEG, 0.0, 360.0),
    ("seastate", "environment.water.seaState", 1.0, 0.0, 13.0),
    ("watertemp", "environment.water.temperature", 1.0, 273.15, 50.1),
    ("preciptype", "environment.outside.precipitationType", 1.0, 0.0, 7.0),
    ("salinity", "environment.water.salinity", 0.001, 0.0, 50.1),
    ("ice", "environment.water.ice", 1.0, 0.0, 2.0),
];

fn weather(tally: &mut Tally, ours: &HashMap<String, Value>, report: &Json) {
    if !report["wspeed"].is_number() {
        return;
    }
    // The instance is the place, and behind it the level.
    let position = ours.keys().find(|key| key.starts_with("environment.observed.position"));
    let place = position.and_then(|key| key.split_once('#')).map_or("", |(_, place)| place);
    let at = |path: &str| {
        let (path, level) = path.split_once('#').unwrap_or((path, ""));
        let parts = [place, level].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
        if parts.is_empty() { path.to_owned() } else { format!("{path}#{}", parts.join(".")) }
    };
    for (name, path, scale, offset, none) in WEATHER {
        if let Some(theirs) = report[name].as_f64() {
            // -102.4 is not available in function 31.
            let wanted = Some(theirs).filter(|x| (-100.0..none).contains(x)).map(|x| x * scale + offset);
            // gpsd writes the level with one digit, whatever the message has.
            let tolerance = if name == "waterlevel" { 0.051 } else { 1e-6 };
            tally.float(name, ours.get(&at(path)), wanted, tolerance);
        }
    }
    let theirs = report["lat"].as_f64().zip(report["lon"].as_f64());
    tally.position(position.and_then(|key| ours.get(key)), theirs, 1e-6);
    assert!(!ours.contains_key("navigation.position"), "weather moves no station");
}
