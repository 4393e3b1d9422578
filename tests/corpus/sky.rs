//! gpsd's view of the satellites (its class SKY) against the readings of GSA and GSV.

use std::collections::HashMap;

use hawser::reading::Value;
use hawser::wire::Decoded;
use serde_json::Value as Json;

use super::oracle::{DEG, Tally};

/// What the sentences said last of the satellites, by path and instance.
#[derive(Default)]
pub struct Sky(HashMap<(String, String), Value>);

const SATELLITE: &str = "navigation.gnss.satellite.";

impl Sky {
    pub fn take(&mut self, decoded: &[Decoded]) {
        for d in decoded.iter().filter(|d| d.path.starts_with("navigation.gnss.")) {
            self.0.insert((d.path.clone().into_owned(), d.instance.clone().into_owned()), d.value.clone());
        }
    }

    /// A satellite with its elevation, azimuth and signal as gpsd gives them; what gpsd leaves out was not sent.
    fn has(&self, instance: &str, report: &Json) -> bool {
        [("el", "elevation", DEG), ("az", "azimuth", DEG), ("ss", "signalToNoise", 1.0)].iter().all(
            |(name, path, scale)| {
                let ours = self.0.get(&(format!("{SATELLITE}{path}"), instance.to_owned()));
                match (report[*name].as_f64(), ours) {
                    (Some(theirs), Some(Value::Float(ours))) => (theirs * scale - ours).abs() < 1e-9,
                    (Some(theirs), _) => theirs == 0.0,
                    // Not sent this time, or held back: it says nothing about ours.
                    (None, _) => true,
                }
            },
        )
    }

    pub fn compare(&self, tally: &mut Tally, report: &Json) {
        for (name, path) in [("hdop", "horizontalDilution"), ("pdop", "positionDilution"), ("vdop", "verticalDilution")]
        {
            let ours = self.0.get(&(format!("navigation.gnss.{path}"), String::new()));
            if let (Some(theirs), Some(_)) = (report[name].as_f64(), ours) {
                tally.float(name, ours, Some(theirs), 0.006);
            }
        }
        for satellite in report["satellites"].as_array().into_iter().flatten() {
            let instances = instances(satellite);
            let known = self
                .0
                .keys()
                .filter(|(_, instance)| instances.iter().any(|name| instance.split('-').next() == Some(name)));
            // One without any value makes no readings.
            let silent = ["el", "az", "ss"].iter().all(|name| satellite[*name].as_f64().unwrap_or(0.0) == 0.0);
            let same = silent || known.into_iter().any(|(_, instance)| self.has(instance, satellite));
            tally.count("satellite", same, || format!("none of {instances:?} as {satellite}"));
        }
    }
}

/// How ours may name a satellite of gpsd's: receivers number all systems but GPS in several ways.
fn instances(satellite: &Json) -> Vec<String> {
    let number = satellite["svid"].as_u64().unwrap_or(0);
    let (system, offsets): (_, &[i64]) = match satellite["gnssid"].as_u64() {
        Some(0) => ("GP", &[0]),
        Some(1) => ("GP", &[-87]),
        Some(2) => ("GA", &[0, 300]),
        Some(3) => ("GB", &[0, 200, 400]),
        Some(5) => ("GQ", &[0, 192]),
        Some(6) => ("GL", &[0, 64]),
        _ => return Vec::new(),
    };
    offsets.iter().map(|more| format!("{system}{}", number as i64 + more)).collect()
}
