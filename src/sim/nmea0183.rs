//! What the bridge says in NMEA 0183: the sentences of a multiplexer, in its order.
//!
//! Each sentence counts the values that are put into it. Source: IEC 61162-1.

use crate::clock::Stamp;

use super::sentence::{Sentence, Spoken, latitude, longitude, time_of_day};
use super::vessel::{MS_PER_KNOT, TRANSDUCER_DEPTH_M, VARIATION, Vessel};

/// Milliseconds in a day.
const DAY_MS: i64 = 86_400_000;

impl Vessel {
    /// All sentences, of the own instruments and of the vessels in sight, as at `now`.
    pub(crate) fn sentences(&self, now: Stamp) -> Vec<Spoken> {
        let mut said = self.receiver(now);
        said.extend(self.compass_and_log());
        said.extend(self.winds());
        said.extend(self.sounder());
        said.extend(self.engine_room_and_weather());
        said.extend(self.heard.iter().cloned());
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
        let vtg = vtg.part("M").value(format!("{knots:.2}")).part("N").again(format!("{:.2}", knots * 1.852)).part("K");
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
        let vhw = vhw.value(format!("{knots:.2}")).part("N").again(format!("{:.2}", knots * 1.852)).part("K");
        vec![hdt.end(), hdg.end(), rot.end(), rsa.end(), vhw.end()]
    }

    /// The wind: MWV relative, MWV theoretical (in relation to the water), MWD (to the ground).
    fn winds(&self) -> Vec<Spoken> {
        let from = self.weather.wind_direction.value.rem_euclid(360.0);
        let true_ms = self.weather.wind_speed_ms.value;
        let mwv = |(angle, speed_ms): (f64, f64), reference: char| {
            let sentence = Sentence::new("WI", "MWV").value(format!("{angle:.1}")).part(reference);
            sentence.value(format!("{speed_ms:.2}")).part("M").part("A").end()
        };
        let mwd = Sentence::new("WI", "MWD").value(format!("{from:.1}")).part("T");
        let mwd = mwd.value(format!("{:.1}", (from - VARIATION).rem_euclid(360.0))).part("M");
        let mwd = mwd.again(format!("{:.2}", true_ms / MS_PER_KNOT)).part("N").value(format!("{true_ms:.2}")).part("M");
        vec![mwv(self.apparent_wind(), 'R'), mwv(self.wind_over_water(), 'T'), mwd.end()]
    }

    /// The echo sounder and the water: DPT, DBT, MTW.
    fn sounder(&self) -> Vec<Spoken> {
        let metres = self.depth_m();
        // Depth and offset together are the depth below the surface: two fields, three values.
        let dpt =
            Sentence::new("SD", "DPT").value(format!("{metres:.2}")).value(TRANSDUCER_DEPTH_M).part("100").holds(1);
        let dbt = Sentence::new("SD", "DBT").again(format!("{:.2}", metres / 0.3048)).part("f");
        let dbt = dbt.value(format!("{metres:.2}")).part("M").again(format!("{:.2}", metres / 1.8288)).part("F");
        let mtw = Sentence::new("YX", "MTW").value(format!("{:.2}", self.weather.water_temperature_c.value)).part("C");
        vec![dpt.end(), dbt.end(), mtw.end()]
    }

    /// Engine revolutions, and motion and weather as transducers: RPM, XDR.
    fn engine_room_and_weather(&self) -> Vec<Spoken> {
        let rpm = Sentence::new("ER", "RPM")
            .part("E")
            .part(1)
            .value(format!("{:.1}", self.engine.rpm.value))
            .part("")
            .part("A");
        let (pitch, roll) = self.pitch_and_roll();
        let motion = Sentence::new("YX", "XDR").part("A").value(format!("{pitch:.2}")).part("D").part("PTCH");
        let motion = motion.part("A").value(format!("{roll:.2}")).part("D").part("ROLL");
        let weather =
            Sentence::new("WI", "XDR").part("P").value(format!("{:.5}", self.weather.pressure_pa.value / 100_000.0));
        let weather =
            weather.part("B").part("Barometer").part("C").value(format!("{:.2}", self.weather.air_temperature_c.value));
        vec![rpm.end(), motion.end(), weather.part("C").part("AirTemp").end()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Start;

    const START: Stamp = Stamp::from_millis(1_795_243_260_000);

    #[test]
    fn every_sentence_is_short_enough_and_every_kind_is_spoken() {
        let mut vessel = Vessel::new(1, Start::default());
        let said: Vec<_> = (0..3_600).flat_map(|s| vessel.step(START.plus_millis(s * 1_000))).collect();
        assert!(said.iter().all(|s| s.sentence.len() <= 82), "IEC 61162-1: 82 characters");
        for kind in "RMC GGA GLL VTG HDT HDG MWV MWD VHW DPT DBT MTW ZDA ROT RSA RPM XDR VDM".split(' ') {
            assert!(said.iter().any(|s| &s.sentence[3..6] == kind), "{kind} is missing");
        }
    }
}
