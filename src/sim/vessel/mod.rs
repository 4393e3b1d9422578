//! One seeded vessel: a motor yacht on a coastal passage, whose instruments agree with each other.
//!
//! Pure: no clock, no sockets. [`Vessel::advance`] is handed the time; what is then read off her is the same for every
//! bus. It refuses to be a model of seakeeping: plausible together is all it promises.

mod engine;
mod power;
mod tanks;
mod values;
mod weather;

use crate::clock::Stamp;
use crate::entropy::Entropy;

use super::ais::Fleet;
use super::geo::{Degrees, Place, Velocity, moved};
use super::sentence::Spoken;

pub(crate) use engine::{Engine, TroubleCode};
pub(crate) use power::{Battery, Power};
pub(crate) use tanks::{Tank, Tanks};
pub(crate) use weather::Weather;

/// The longest time one step moves the vessel: after a pause it goes on from where it was, it does not leap.
pub(crate) const STEP_SECONDS_MAX: f64 = 10.0;

/// Magnetic variation, degrees, east positive: the southern North Sea.
pub(crate) const VARIATION: Degrees = 2.1;

/// Metres a second in a knot.
pub(crate) const MS_PER_KNOT: f64 = 1_852.0 / 3_600.0;

/// 0 degrees Celsius, K.
pub(crate) const ZERO_CELSIUS_K: f64 = 273.15;

/// Where the transducer is below the surface, metres.
pub(crate) const TRANSDUCER_DEPTH_M: f64 = 0.5;

/// What the house battery still is of what it was when new.
pub(crate) const HEALTH_RATIO: f64 = 0.97;

/// Metres a second through the water per revolution a minute: 6 kn at 1,800.
const MS_PER_RPM: f64 = 6.0 * MS_PER_KNOT / 1_800.0;

/// Where and how the vessel starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Start {
    /// Position.
    pub place: Place,
    /// True heading, degrees.
    pub heading: f64,
}

impl Default for Start {
    /// Off the Dutch coast, heading north-east.
    fn default() -> Self {
        Self { place: Place { latitude: 52.4, longitude: 4.3 }, heading: 35.0 }
    }
}

/// The vessel and all that can be measured on board.
#[derive(Debug)]
pub struct Vessel {
    entropy: Entropy,
    last: Option<Stamp>,
    pub(crate) place: Place,
    pub(crate) heading: Degrees,
    /// What the autopilot steers.
    ordered: Degrees,
    pub(crate) rudder: Degrees,
    /// Degrees a second, to starboard positive.
    pub(crate) turn: f64,
    /// Seconds under way, the phase of the swell.
    swell_s: f64,
    current: Velocity,
    pub(crate) weather: Weather,
    pub(crate) engine: Engine,
    pub(crate) tanks: Tanks,
    pub(crate) power: Power,
    fleet: Fleet,
    /// What the AIS receiver heard in the last step.
    pub(crate) heard: Vec<Spoken>,
}

impl Vessel {
    /// The vessel of `seed`: the same seed and times give the same vessel.
    pub fn new(seed: u64, start: Start) -> Self {
        let entropy = Entropy::seeded(seed);
        let current = Velocity::towards(entropy.unit() * 360.0, 0.2 + entropy.unit() * 0.4);
        let fleet = Fleet::around(start.place, &entropy);
        Self {
            last: None,
            place: start.place,
            heading: start.heading.rem_euclid(360.0),
            ordered: start.heading.rem_euclid(360.0),
            rudder: 0.0,
            turn: 0.0,
            swell_s: 0.0,
            current,
            weather: Weather::new(&entropy),
            engine: Engine::new(&entropy),
            tanks: Tanks::new(&entropy),
            power: Power::new(&entropy),
            fleet,
            heard: Vec::new(),
            entropy,
        }
    }

    /// Moves on to `now`. A time that steps back moves nothing.
    pub fn advance(&mut self, now: Stamp) {
        let elapsed = self.last.map_or(0, |last| now.millis_since(last));
        let seconds = (elapsed.max(0) as f64 / 1_000.0).min(STEP_SECONDS_MAX);
        self.last = Some(now);
        self.sail(seconds);
        self.weather.step(seconds, &self.entropy);
        self.engine.step(seconds, self.weather.water_temperature_k(), &self.entropy);
        self.tanks.step(seconds, self.engine.fuel_rate_m3_s + self.power.generator.fuel_m3_s());
        self.power.step(seconds, self.weather.air_temperature_k() + 4.0, &self.entropy);
        self.heard = self.fleet.step(seconds, now, &self.entropy);
    }

    /// Moves on to `now` and says what the bridge says then, in NMEA 0183.
    pub fn step(&mut self, now: Stamp) -> Vec<Spoken> {
        self.advance(now);
        self.sentences(now)
    }

    fn sail(&mut self, seconds: f64) {
        // A new course about every 5 minutes.
        if self.entropy.unit() < seconds / 300.0 {
            self.ordered = (self.ordered + (self.entropy.unit() - 0.5) * 60.0).rem_euclid(360.0);
        }
        let off = (self.ordered - self.heading + 180.0).rem_euclid(360.0) - 180.0;
        self.rudder = (off * 0.8).clamp(-15.0, 15.0) + (self.entropy.unit() - 0.5) * 0.4;
        self.turn = self.rudder * 0.2;
        // The pilot meets her: never past the ordered course in one step, however long.
        let swing = self.turn * seconds;
        self.heading = (self.heading + if swing.abs() > off.abs() + 0.1 { off } else { swing }).rem_euclid(360.0);
        self.swell_s += seconds;
        let ground = self.over_ground();
        self.place = moved(self.place, ground.direction(), ground.speed() * seconds);
    }

    pub(crate) fn through_water_ms(&self) -> f64 {
        self.engine.rpm.value * MS_PER_RPM
    }

    pub(crate) fn over_ground(&self) -> Velocity {
        Velocity::towards(self.heading, self.through_water_ms()).plus(self.current)
    }

    /// Angle from the bow, 0 to 360, and speed of the wind as felt on board.
    pub(crate) fn apparent_wind(&self) -> (Degrees, f64) {
        self.off_the_bow(self.wind().minus(self.over_ground()))
    }

    /// The same of the true wind, in relation to the water: what instruments work out of the apparent wind and the log.
    pub(crate) fn wind_over_water(&self) -> (Degrees, f64) {
        self.off_the_bow(self.wind().minus(self.current))
    }

    /// The wind over ground, where it blows to.
    fn wind(&self) -> Velocity {
        Velocity::towards(self.weather.wind_direction.value + 180.0, self.weather.wind_speed_ms.value)
    }

    /// Where a wind comes from, as an angle from the bow, and its speed.
    fn off_the_bow(&self, wind: Velocity) -> (Degrees, f64) {
        ((wind.direction() + 180.0 - self.heading).rem_euclid(360.0), wind.speed())
    }

    /// Depth below the transducer, metres: a sea bed of long waves, so that it follows from the place.
    pub(crate) fn depth_m(&self) -> f64 {
        let Place { latitude, longitude } = self.place;
        18.0 + 6.0 * (latitude * 700.0).sin() + 4.0 * (longitude * 900.0).cos()
    }

    /// Pitch (bow up positive) and roll (starboard down positive), degrees, as the sea makes them.
    pub(crate) fn pitch_and_roll(&self) -> (Degrees, Degrees) {
        let sea = self.weather.sea_state();
        (1.5 * sea * (self.swell_s * 0.9).sin(), 4.0 * sea * (self.swell_s * 0.6).sin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Stamp = Stamp::from_millis(1_795_243_260_000);

    fn hour(seed: u64) -> (Vessel, Vec<Spoken>) {
        let mut vessel = Vessel::new(seed, Start::default());
        let said = (0..3_600).flat_map(|s| vessel.step(START.plus_millis(s * 1_000))).collect();
        (vessel, said)
    }

    #[test]
    fn a_seed_repeats_itself() {
        assert_eq!(hour(7).1, hour(7).1);
        assert_ne!(hour(7).1, hour(8).1);
    }

    #[test]
    fn an_hour_at_six_knots_is_about_six_miles_of_way() {
        let mut vessel = Vessel::new(3, Start::default());
        let mut way_m = 0.0;
        for second in 0..3_600 {
            vessel.step(START.plus_millis(second * 1_000));
            way_m += vessel.over_ground().speed();
        }
        assert!((4.0..8.5).contains(&(way_m / 1_852.0)), "{way_m} m");
    }

    #[test]
    fn apparent_wind_is_true_wind_less_the_way_made() {
        let (mut vessel, _) = hour(5);
        vessel.current = Velocity { north: 0.0, east: 0.0 };
        vessel.weather.wind_direction.value = vessel.heading;
        let (angle, speed) = vessel.apparent_wind();
        assert!(!(0.01..=359.99).contains(&angle), "a head wind stays ahead: {angle}");
        assert!((speed - vessel.weather.wind_speed_ms.value - vessel.through_water_ms()).abs() < 1e-6);
    }

    #[test]
    fn the_way_through_the_water_joins_true_and_apparent_wind_whatever_the_current() {
        let (vessel, _) = hour(6);
        let along =
            |(angle, speed): (Degrees, f64)| (speed * angle.to_radians().cos(), speed * angle.to_radians().sin());
        let ((ahead, abeam), apparent) = (along(vessel.wind_over_water()), along(vessel.apparent_wind()));
        assert!(vessel.current.speed() > 0.1);
        assert!((apparent.0 - ahead - vessel.through_water_ms()).abs() < 1e-6 && (apparent.1 - abeam).abs() < 1e-6);
    }

    #[test]
    fn a_clock_that_steps_back_moves_nothing() {
        let mut vessel = Vessel::new(1, Start::default());
        vessel.step(START);
        let before = vessel.place;
        vessel.step(START.plus_millis(-3_600_000));
        assert_eq!(vessel.place, before);
    }
}
