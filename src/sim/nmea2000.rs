//! What the vessel's NMEA 2000 backbone says: seven devices and their PGNs.
//!
//! The table is the contract: `value` marks each field that must become a reading, everything else makes none. Paths
//! are named where a field does not say by itself what it becomes. Slower than the standard's intervals (0.1 s for
//! heading): one round a second keeps a demonstration readable.
//!
//! Fields, widths and resolutions: canboat's PGN database; the encoder is our own, apart from the gateway's decoder.

use super::device::{Backbone, INDUSTRY_MARINE, Model, Row, Telling};
use super::payload::Payload;
use super::telegram::Transport::{Fast, Single};
use super::vessel::{HEALTH_RATIO, TRANSDUCER_DEPTH_M, Tank, VARIATION};

/// Positions in [`MODELS`].
const GPS: usize = 0;
const COMPASS: usize = 1;
const SOUNDER: usize = 2;
const WIND: usize = 3;
const ENGINE: usize = 4;
const TANKS: usize = 5;
const BATTERIES: usize = 6;

/// The devices. Manufacturers, functions and classes are in NMEA 2000's lists; the models are invented.
#[rustfmt::skip]
static MODELS: [Model; 7] = [
    model("SIM GPS 10", 229, 145, 60, 0x03),     // Garmin; ownship position, navigation
    model("SIM Compass 20", 137, 140, 60, 0x09), // Maretron; ownship attitude, navigation
    model("SIM Sounder 30", 135, 130, 60, 0x23), // Airmar; bottom depth, navigation
    model("SIM Wind 40", 275, 130, 85, 0x17),    // Navico; atmospheric, external environment
    model("SIM Engine 50", 717, 160, 50, 0x21),  // Yacht Devices; engine gateway, propulsion
    model("SIM Tanks 60", 137, 150, 75, 0x33),   // Maretron; fluid level, sensor communication
    model("SIM Battery 70", 358, 170, 35, 0x2A), // Victron Energy; battery, electrical generation
];

const fn model(name: &'static str, manufacturer: u64, function: u64, class: u64, address: u8) -> Model {
    let product_code = 10_000 + address as u64;
    Model { manufacturer, function, class, industry: INDUSTRY_MARINE, address, name, product_code }
}

/// Radians as most PGNs have them.
const RADIANS: f64 = 0.000_1;

/// Ratios as tank levels and humidity have them: 25,000 is 100 %.
const RATIO: f64 = 0.000_04;

/// Milliseconds in a day.
const DAY_MS: i64 = 86_400_000;

/// What each device tells.
#[rustfmt::skip]
static ROWS: &[Row] = &[
    Row { device: GPS, pgn: 126_992, priority: 3, transport: Single, every: 1, make: system_time },
    Row { device: GPS, pgn: 129_025, priority: 2, transport: Single, every: 1, make: position },
    Row { device: GPS, pgn: 129_026, priority: 2, transport: Single, every: 1, make: course_and_speed },
    Row { device: GPS, pgn: 129_029, priority: 3, transport: Fast, every: 1, make: gnss_position },
    Row { device: COMPASS, pgn: 127_245, priority: 2, transport: Single, every: 1, make: rudder },
    Row { device: COMPASS, pgn: 127_250, priority: 2, transport: Single, every: 1, make: heading },
    Row { device: COMPASS, pgn: 127_251, priority: 2, transport: Single, every: 1, make: rate_of_turn },
    Row { device: COMPASS, pgn: 127_257, priority: 3, transport: Single, every: 1, make: attitude },
    Row { device: SOUNDER, pgn: 128_259, priority: 2, transport: Single, every: 1, make: speed },
    Row { device: SOUNDER, pgn: 128_267, priority: 3, transport: Single, every: 1, make: depth },
    Row { device: WIND, pgn: 130_306, priority: 2, transport: Single, every: 1, make: wind },
    Row { device: ENGINE, pgn: 127_488, priority: 2, transport: Single, every: 1, make: engine_rapid },
    Row { device: ENGINE, pgn: 127_489, priority: 2, transport: Fast, every: 1, make: engine_dynamic },
    Row { device: TANKS, pgn: 127_505, priority: 6, transport: Single, every: 3, make: fluid_levels },
    Row { device: BATTERIES, pgn: 127_506, priority: 6, transport: Fast, every: 2, make: charge },
    Row { device: BATTERIES, pgn: 127_508, priority: 6, transport: Single, every: 2, make: batteries },
    Row { device: WIND, pgn: 130_312, priority: 5, transport: Single, every: 2, make: temperatures },
    Row { device: WIND, pgn: 130_313, priority: 5, transport: Single, every: 2, make: humidity },
    Row { device: WIND, pgn: 130_314, priority: 5, transport: Single, every: 2, make: pressure },
];

/// The devices of the vessel of `seed`.
pub(crate) fn devices(seed: u64) -> Backbone {
    Backbone::new(&MODELS, ROWS, true, seed)
}

/// Date (days since 1970) and time (0.1 ms since midnight): two fields, one value.
fn date_and_time(payload: Payload, telling: &Telling<'_>) -> Payload {
    let ms = telling.at.millis();
    let (days, of_day) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    payload.part(days as u64, 16).part(of_day as u64 * 10, 32)
}

/// One instance, without an instance.
fn sid(telling: &Telling<'_>) -> Payload {
    Payload::default().part(telling.sid, 8)
}

/// Source 0: GPS. One value: navigation.datetime.
fn system_time(telling: &Telling<'_>) -> Vec<Payload> {
    vec![date_and_time(sid(telling).part(0, 4).absent(4), telling).holds(1)]
}

/// One value: navigation.position.
fn position(telling: &Telling<'_>) -> Vec<Payload> {
    let place = telling.vessel.place;
    vec![Payload::default().signed(place.latitude, 1e-7, 32).second(place.longitude, 1e-7, 32)]
}

/// Reference 0: true.
fn course_and_speed(telling: &Telling<'_>) -> Vec<Payload> {
    let ground = telling.vessel.over_ground();
    let course = sid(telling).part(0, 2).absent(6).value(radians(ground.direction()), RADIANS, 16);
    vec![course.value(ground.speed(), 0.01, 16).absent(16)]
}

/// Date with time, position, altitude, type (0: GPS), method, integrity, satellites, HDOP, PDOP, geoidal separation; no
/// reference station.
fn gnss_position(telling: &Telling<'_>) -> Vec<Payload> {
    let place = telling.vessel.place;
    let fix = date_and_time(sid(telling), telling).holds(1);
    let fix = fix.signed(place.latitude, 1e-16, 64).second(place.longitude, 1e-16, 64).signed(4.2, 1e-6, 64);
    let quality = fix.value(0.0, 1.0, 4).value(1.0, 1.0, 4).value(1.0, 1.0, 2).absent(6).value(9.0, 1.0, 8);
    vec![quality.signed(0.9, 0.01, 16).signed(1.6, 0.01, 16).signed(45.1, 0.01, 32).part(0, 8)]
}

/// Instance 0, no order.
fn rudder(telling: &Telling<'_>) -> Vec<Payload> {
    let order = Payload::default().part(0, 8).absent(3).absent(5).absent_signed(16);
    vec![order.signed(telling.vessel.rudder.to_radians(), RADIANS, 16).absent(16)]
}

/// Reference 1: magnetic; with deviation 0 and variation.
fn heading(telling: &Telling<'_>) -> Vec<Payload> {
    let magnetic = sid(telling).value(radians(telling.vessel.heading - VARIATION), RADIANS, 16);
    // The sensor's own heading and the corrected one are readings.
    let corrected = magnetic.signed(0.0, RADIANS, 16).holds(1).signed(VARIATION.to_radians(), RADIANS, 16);
    vec![corrected.part(1, 2).absent(6)]
}

fn rate_of_turn(telling: &Telling<'_>) -> Vec<Payload> {
    vec![sid(telling).signed(telling.vessel.turn.to_radians(), 3.125e-8, 32).absent(24)]
}

/// Yaw is the heading, within half a turn.
fn attitude(telling: &Telling<'_>) -> Vec<Payload> {
    let (pitch, roll) = telling.vessel.pitch_and_roll();
    let yaw = (telling.vessel.heading + 180.0).rem_euclid(360.0) - 180.0;
    let angles = [yaw, pitch, roll].into_iter().fold(sid(telling), |p, degrees| {
        let radians = degrees.to_radians();
        p.signed(radians, RADIANS, 16)
    });
    vec![angles.absent(8)]
}

/// Through the water by paddle wheel (0); the speed over ground is the receiver's to tell.
fn speed(telling: &Telling<'_>) -> Vec<Payload> {
    vec![sid(telling).value(telling.vessel.through_water_ms(), 0.01, 16).absent(16).part(0, 8).absent(4).absent(12)]
}

/// Depth, and a positive offset: the transducer's distance to the surface. Three values: below the transducer, below
/// the surface, surface to transducer.
fn depth(telling: &Telling<'_>) -> Vec<Payload> {
    let depth = sid(telling).value(telling.vessel.depth_m(), 0.01, 32);
    vec![depth.signed(TRANSDUCER_DEPTH_M, 0.001, 16).holds(1).part(10, 8)]
}

/// Reference 2: apparent. Then 4: true, in relation to the bow and the water.
fn wind(telling: &Telling<'_>) -> Vec<Payload> {
    let row = |(angle, speed): (f64, f64), reference: u64| {
        sid(telling).value(speed, 0.01, 16).value(radians(angle), RADIANS, 16).part(reference, 3).absent(21)
    };
    vec![row(telling.vessel.apparent_wind(), 2), row(telling.vessel.wind_over_water(), 4)]
}

/// Instance 0; no trim.
fn engine_rapid(telling: &Telling<'_>) -> Vec<Payload> {
    let engine = &telling.vessel.engine;
    let speed = Payload::default().part(0, 8).value(engine.rpm.value / 60.0, 0.25 / 60.0, 16);
    vec![speed.value(engine.boost_pa, 100.0, 16).absent_signed(8).absent(16)]
}

/// Instance 0; neither fuel pressure nor torque. It does not tell its status: which of its bits become readings, and
/// how often, is the listener's affair, and a count is to be exact.
fn engine_dynamic(telling: &Telling<'_>) -> Vec<Payload> {
    let engine = &telling.vessel.engine;
    let oil = Payload::default().part(0, 8).value(engine.oil_pressure_pa, 100.0, 16);
    let heat = oil.value(engine.oil_temperature_k, 0.1, 16).value(engine.coolant_temperature_k, 0.01, 16);
    let fuel = heat.signed(telling.vessel.power.starter.voltage_v, 0.01, 16);
    let fuel = fuel.signed(engine.fuel_rate_m3_s, 1e-4 / 3_600.0, 16).value(engine.run_s, 1.0, 32);
    let rest = fuel.value(engine.coolant_pressure_pa, 100.0, 16).absent(16).absent(8).absent(32);
    vec![rest.signed(engine.load_ratio, 0.01, 8).absent_signed(8)]
}

/// Types 0 fuel, 1 fresh water, 2 waste water (grey): two values each.
fn fluid_levels(telling: &Telling<'_>) -> Vec<Payload> {
    let tanks = &telling.vessel.tanks;
    let level = |(kind, tank): (u64, Tank)| {
        let level = Payload::default().part(0, 4).part(kind, 4).signed(tank.level_ratio, RATIO, 16);
        level.value(tank.capacity_m3, 1e-4, 32).absent(8)
    };
    [(0, tanks.fuel), (1, tanks.fresh_water), (2, tanks.grey_water)].map(level).into()
}

/// DC type 0: battery. State of charge and health, time remaining while it is drawn from; neither ripple nor amount.
fn charge(telling: &Telling<'_>) -> Vec<Payload> {
    let house = &telling.vessel.power.house;
    let state = sid(telling).part(0, 8).part(0, 8).value(house.charge_ratio, 0.01, 8).value(HEALTH_RATIO, 0.01, 8);
    let left = match house.remaining_s() {
        Some(seconds) => state.value(seconds.min(3_900_000.0), 60.0, 16),
        None => state.absent(16),
    };
    vec![left.absent(16).absent(16)]
}

/// Instances 0, house, and 1, starter.
fn batteries(telling: &Telling<'_>) -> Vec<Payload> {
    let power = &telling.vessel.power;
    let battery = |(instance, battery): (u64, &crate::sim::vessel::Battery)| {
        let volts = Payload::default().part(instance, 8).signed(battery.voltage_v, 0.01, 16);
        volts.signed(battery.current_a, 0.1, 16).value(battery.temperature_k, 0.01, 16).part(telling.sid, 8)
    };
    [(0, &power.house), (1, &power.starter)].map(battery).into()
}

/// Sources 0, sea, and 1, outside.
fn temperatures(telling: &Telling<'_>) -> Vec<Payload> {
    let weather = &telling.vessel.weather;
    let row = |(source, kelvin): (u64, f64)| {
        sid(telling).part(0, 8).part(source, 8).value(kelvin, 0.01, 16).absent(16).absent(8)
    };
    [(0, weather.water_temperature_k()), (1, weather.air_temperature_k())].map(row).into()
}

/// Source 1: outside.
fn humidity(telling: &Telling<'_>) -> Vec<Payload> {
    let ratio = telling.vessel.weather.humidity_ratio.value;
    vec![sid(telling).part(0, 8).part(1, 8).signed(ratio, RATIO, 16).absent_signed(16).absent(8)]
}

/// Source 0: atmospheric.
fn pressure(telling: &Telling<'_>) -> Vec<Payload> {
    let pascal = telling.vessel.weather.pressure_pa.value;
    vec![sid(telling).part(0, 8).part(0, 8).signed(pascal, 0.1, 32).absent(8)]
}

/// Degrees to radians within a turn.
fn radians(degrees: f64) -> f64 {
    degrees.rem_euclid(360.0).to_radians()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Stamp;
    use crate::sim::device::Device;
    use crate::sim::{Start, Vessel};

    fn round() -> (Vessel, Vec<crate::sim::telegram::Telegram>) {
        let at = Stamp::from_millis(1_795_243_260_000);
        let mut vessel = Vessel::new(1, Start::default());
        vessel.advance(at);
        let told = devices(1).round(&vessel, at);
        (vessel, told)
    }

    #[test]
    fn every_pgn_has_its_length() {
        let (_, told) = round();
        for telegram in &told {
            let expected = match telegram.identifier.pgn {
                126_996 => 134,
                127_489 => 26,
                127_506 => 11,
                129_029 => 43,
                _ => 8,
            };
            assert_eq!(telegram.payload.len(), expected, "{}", telegram.identifier.pgn);
        }
        for pgn in ROWS.iter().map(|row| row.pgn).chain([60_928, 126_996]) {
            assert!(told.iter().any(|telegram| telegram.identifier.pgn == pgn), "{pgn} is missing");
        }
    }

    #[test]
    fn a_name_has_its_parts_where_the_standard_puts_them() {
        let device = Device::new(&MODELS[GPS], 0x12_3456);
        let name = device.name();
        assert_eq!(name & 0x1F_FFFF, 0x12_3456, "identity number");
        assert_eq!(name >> 21 & 0x7FF, 229, "manufacturer");
        assert_eq!((name >> 40 & 0xFF, name >> 49 & 0x7F), (145, 60), "function, class");
        assert_eq!((name >> 60 & 7, name >> 63), (4, 1), "marine, address at will");
    }

    #[test]
    fn a_heading_is_as_worked_out_by_hand() {
        let (vessel, told) = round();
        let heading = told.iter().find(|telegram| telegram.identifier.pgn == 127_250).unwrap();
        assert!((vessel.heading - 35.0).abs() < 1e-9, "nothing moved yet");
        // 32.9 degrees are 0.574213 rad: 5,742, 166E hex; variation 2.1 degrees: 367, 016F hex.
        assert_eq!(heading.payload, [0, 0x6E, 0x16, 0, 0, 0x6F, 0x01, 0xFD]);
        assert_eq!(heading.count.readings, 4, "the sensor's, the corrected one, deviation, variation");
    }
}
