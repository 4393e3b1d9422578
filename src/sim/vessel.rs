//! One seeded vessel: a motor yacht on a coastal passage, whose instruments agree with each other.
//!
//! Pure: no clock, no sockets. [`Vessel::step`] is handed the time and returns what the instruments say, each sentence
//! with the number of readings it holds. It refuses to be a model of seakeeping: plausible together is all it promises.

use crate::clock::Stamp;
use crate::entropy::Entropy;

use super::ais::Fleet;
use super::geo::{Degrees, Place, Velocity, moved};
use super::sentence::{Sentence, Spoken, latitude, longitude, time_of_day};

/// The longest time one step moves the vessel: after a pause it goes on from where it was, it does not leap.
const STEP_SECONDS_MAX: f64 = 10.0;

/// Magnetic variation, degrees, east positive: the southern North Sea.
const VARIATION: Degrees = 2.1;

/// Metres a second in a knot.
const MS_PER_KNOT: f64 = 1_852.0 / 3_600.0;

/// Metres a second through the water per revolution a minute: 6 kn at 1,800.
const MS_PER_RPM: f64 = 6.0 * MS_PER_KNOT / 1_800.0;

/// Milliseconds in a day.
const DAY_MS: i64 = 86_400_000;

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

/// A value that wanders about a middle, pulled back to it.
#[derive(Clone, Copy, Debug)]
struct Wander {
    value: f64,
    middle: f64,
    /// Typical change in one second.
    stride: f64,
}

impl Wander {
    const fn about(middle: f64, stride: f64) -> Self {
        Self { value: middle, middle, stride }
    }

    fn step(&mut self, seconds: f64, entropy: &Entropy) {
        let pull = (self.middle - self.value) * 0.01 * seconds;
        self.value += pull + (entropy.unit() * 2.0 - 1.0) * self.stride * seconds.sqrt();
    }
}

/// The vessel and its instruments.
#[derive(Debug)]
pub struct Vessel {
    entropy: Entropy,
    last: Option<Stamp>,
    place: Place,
    heading: Degrees,
    /// What the autopilot steers.
    ordered: Degrees,
    rudder: Degrees,
    /// Degrees a second, to starboard positive.
    turn: f64,
    rpm: Wander,
    wind_direction: Wander,
    wind_speed_ms: Wander,
    water_temperature_c: Wander,
    air_temperature_c: Wander,
    pressure_pa: Wander,
    /// Seconds under way, the phase of the swell.
    swell_s: f64,
    current: Velocity,
    fleet: Fleet,
}

impl Vessel {
    /// The vessel of `seed`: the same seed and times give the same sentences.
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
            rpm: Wander::about(1_800.0, 6.0),
            wind_direction: Wander::about(entropy.unit() * 360.0, 1.0),
            wind_speed_ms: Wander::about(4.0 + entropy.unit() * 6.0, 0.2),
            water_temperature_c: Wander::about(13.5, 0.01),
            air_temperature_c: Wander::about(16.0, 0.02),
            pressure_pa: Wander::about(101_500.0, 2.0),
            swell_s: 0.0,
            current,
            fleet,
            entropy,
        }
    }

    /// Moves on to `now` and says what every instrument says then. A time that steps back moves nothing.
    pub fn step(&mut self, now: Stamp) -> Vec<Spoken> {
        let elapsed = self.last.map_or(0, |last| now.millis_since(last));
        let seconds = (elapsed.max(0) as f64 / 1_000.0).min(STEP_SECONDS_MAX);
        self.last = Some(now);
        self.sail(seconds);
        let mut said = self.instruments(now);
        said.extend(self.fleet.step(seconds, now, &self.entropy));
        said
    }

    fn sail(&mut self, seconds: f64) {
        // A new course about every 5 minutes.
        if self.entropy.unit() < seconds / 300.0 {
            self.ordered = (self.ordered + (self.entropy.unit() - 0.5) * 60.0).rem_euclid(360.0);
        }
        let off = (self.ordered - self.heading + 180.0).rem_euclid(360.0) - 180.0;
        self.rudder = (off * 0.8).clamp(-15.0, 15.0) + (self.entropy.unit() - 0.5) * 0.4;
        self.turn = self.rudder * 0.2;
        self.heading = (self.heading + self.turn * seconds).rem_euclid(360.0);
        for wandering in [
            &mut self.rpm,
            &mut self.wind_direction,
            &mut self.wind_speed_ms,
            &mut self.water_temperature_c,
            &mut self.air_temperature_c,
            &mut self.pressure_pa,
        ] {
            wandering.step(seconds, &self.entropy);
        }
        self.wind_speed_ms.value = self.wind_speed_ms.value.max(0.3);
        self.swell_s += seconds;
        let ground = self.over_ground();
        self.place = moved(self.place, ground.direction(), ground.speed() * seconds);
    }

    fn through_water_ms(&self) -> f64 {
        self.rpm.value * MS_PER_RPM
    }

    fn over_ground(&self) -> Velocity {
        Velocity::towards(self.heading, self.through_water_ms()).plus(self.current)
    }

    /// Angle from the bow, 0 to 360, and speed of the wind as felt on board.
    fn apparent_wind(&self) -> (Degrees, f64) {
        let true_wind = Velocity::towards(self.wind_direction.value + 180.0, self.wind_speed_ms.value);
        let felt = true_wind.minus(self.over_ground());
        ((felt.direction() + 180.0 - self.heading).rem_euclid(360.0), felt.speed())
    }

    /// Depth below the transducer, metres: a sea bed of long waves, so that it follows from the place.
    fn depth_m(&self) -> f64 {
        let Place { latitude, longitude } = self.place;
        18.0 + 6.0 * (latitude * 700.0).sin() + 4.0 * (longitude * 900.0).cos()
    }

    /// All sentences of the vessel's own instruments, in the order of a multiplexer.
    fn instruments(&self, now: Stamp) -> Vec<Spoken> {
        let mut said = self.receiver(now);
        said.extend(self.compass_and_log());
        said.extend(self.wind());
        said.extend(self.sounder());
        said.extend(self.engine_room_and_weather());
        said
    }

    /// The satellite receiver: RMC, GGA, GLL, VTG, ZDA.
    fn receiver(&self, now: Stamp) -> Vec<Spoken> {
        let time = time_of_day(now.millis().rem_euclid(DAY_MS));
        // "2026-11-21" by its parts.
        let day = now.utc_day();
        let (year, month, date) = (&day[0..4], &day[5..7], &day[8..10]);
        let ground = self.over_ground();
        let (course, knots) = (ground.direction() % 360.0, ground.speed() / MS_PER_KNOT);
        let (north, east) = (latitude(self.place.latitude), longitude(self.place.longitude));
        let rmc = Sentence::new("GP", "RMC").part(&time).part("A").value(&north).part(&east);
        let rmc = rmc.value(format!("{knots:.2}")).value(format!("{course:.1}"));
        let rmc =
            rmc.value(format!("{date}{month}{}", &year[2..])).value(format!("{VARIATION:.1}")).part("E").part("A");
        let gga = Sentence::new("GP", "GGA").part(&time).value(&north).part(&east).value(1).value("09").value("0.9");
        let gga = gga.value("4.2").part("M").value("45.1").part("M").part("").part("");
        let gll = Sentence::new("GP", "GLL").value(&north).part(&east).part(&time).part("A").part("A");
        let magnetic = (course - VARIATION).rem_euclid(360.0);
        let vtg = Sentence::new("GP", "VTG").value(format!("{course:.1}")).part("T").value(format!("{magnetic:.1}"));
        let vtg = vtg.part("M").value(format!("{knots:.2}")).part("N").part(format!("{:.2}", knots * 1.852)).part("K");
        let zda = Sentence::new("GP", "ZDA").value(&time).part(date).part(month).part(year).part("00").part("00");
        vec![rmc.end(), gga.end(), gll.end(), vtg.part("A").end(), zda.end()]
    }

    /// Compass, rate of turn, rudder and log: HDT, HDG, ROT, RSA, VHW.
    fn compass_and_log(&self) -> Vec<Spoken> {
        let heading = format!("{:.1}", self.heading % 360.0);
        let magnetic = format!("{:.1}", (self.heading - VARIATION).rem_euclid(360.0));
        let knots = self.through_water_ms() / MS_PER_KNOT;
        let hdt = Sentence::new("HE", "HDT").value(&heading).part("T");
        let hdg = Sentence::new("HC", "HDG").value(&magnetic).part("").part("").value(VARIATION).part("E");
        let rot = Sentence::new("HE", "ROT").value(format!("{:.1}", self.turn * 60.0)).part("A");
        let rsa = Sentence::new("AG", "RSA").value(format!("{:.1}", self.rudder)).part("A").part("").part("V");
        let vhw = Sentence::new("VW", "VHW").value(&heading).part("T").value(&magnetic).part("M");
        let vhw = vhw.value(format!("{knots:.2}")).part("N").part(format!("{:.2}", knots * 1.852)).part("K");
        vec![hdt.end(), hdg.end(), rot.end(), rsa.end(), vhw.end()]
    }

    /// The wind: MWV relative, MWV theoretical, MWD.
    fn wind(&self) -> Vec<Spoken> {
        let (angle, speed_ms) = self.apparent_wind();
        let from = self.wind_direction.value.rem_euclid(360.0);
        let true_angle = (from - self.heading).rem_euclid(360.0);
        let true_ms = self.wind_speed_ms.value;
        let mwv = |angle: f64, reference: char, speed_ms: f64| {
            let sentence = Sentence::new("WI", "MWV").value(format!("{angle:.1}")).part(reference);
            sentence.value(format!("{speed_ms:.2}")).part("M").part("A").end()
        };
        let mwd = Sentence::new("WI", "MWD").value(format!("{from:.1}")).part("T");
        let mwd = mwd.value(format!("{:.1}", (from - VARIATION).rem_euclid(360.0))).part("M");
        let mwd = mwd.part(format!("{:.2}", true_ms / MS_PER_KNOT)).part("N").value(format!("{true_ms:.2}")).part("M");
        vec![mwv(angle, 'R', speed_ms), mwv(true_angle, 'T', true_ms), mwd.end()]
    }

    /// The echo sounder and the water: DPT, DBT, MTW.
    fn sounder(&self) -> Vec<Spoken> {
        let metres = self.depth_m();
        // Depth and offset together are the depth below the surface: two fields, three values.
        let dpt = Sentence::new("SD", "DPT").value(format!("{metres:.2}")).value("0.5").part("100").holds(1);
        let dbt = Sentence::new("SD", "DBT").part(format!("{:.2}", metres / 0.3048)).part("f");
        let dbt = dbt.value(format!("{metres:.2}")).part("M").part(format!("{:.2}", metres / 1.8288)).part("F");
        let mtw = Sentence::new("YX", "MTW").value(format!("{:.2}", self.water_temperature_c.value)).part("C");
        vec![dpt.end(), dbt.end(), mtw.end()]
    }

    /// Engine revolutions, and motion and weather as transducers: RPM, XDR.
    fn engine_room_and_weather(&self) -> Vec<Spoken> {
        let rpm =
            Sentence::new("ER", "RPM").part("E").part(1).value(format!("{:.1}", self.rpm.value)).part("").part("A");
        let pitch = 1.5 * (self.swell_s * 0.9).sin();
        let roll = 4.0 * (self.swell_s * 0.6).sin();
        let motion = Sentence::new("YX", "XDR").part("A").value(format!("{pitch:.2}")).part("D").part("PTCH");
        let motion = motion.part("A").value(format!("{roll:.2}")).part("D").part("ROLL");
        let weather = Sentence::new("WI", "XDR").part("P").value(format!("{:.5}", self.pressure_pa.value / 100_000.0));
        let weather =
            weather.part("B").part("Barometer").part("C").value(format!("{:.2}", self.air_temperature_c.value));
        vec![rpm.end(), motion.end(), weather.part("C").part("AirTemp").end()]
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
    fn every_sentence_is_short_enough_and_every_kind_is_spoken() {
        let said = hour(1).1;
        assert!(said.iter().all(|s| s.sentence.len() <= 82), "IEC 61162-1: 82 characters");
        for kind in "RMC GGA GLL VTG HDT HDG MWV MWD VHW DPT DBT MTW ZDA ROT RSA RPM XDR VDM".split(' ') {
            assert!(said.iter().any(|s| &s.sentence[3..6] == kind), "{kind} is missing");
        }
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
        vessel.wind_direction.value = vessel.heading;
        let (angle, speed) = vessel.apparent_wind();
        assert!(!(0.01..=359.99).contains(&angle), "a head wind stays ahead: {angle}");
        assert!((speed - vessel.wind_speed_ms.value - vessel.through_water_ms()).abs() < 1e-6);
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
