//! The vessel by Signal K path, SI: what a register map or a test asks her for.

use super::{Battery, Tank, Vessel};

impl Vessel {
    /// The value of a path now, in the path's SI unit; `None` for what this vessel has not.
    pub fn value(&self, path: &str) -> Option<f64> {
        let parts: Vec<&str> = path.split('.').collect();
        match parts.as_slice() {
            ["navigation" | "steering", rest @ ..] => self.navigation(rest),
            ["environment", rest @ ..] => self.environment(rest),
            ["propulsion", _, rest @ ..] => self.propulsion(rest),
            ["tanks", "fuel", _, what] => tank(self.tanks.fuel, what),
            ["tanks", "freshWater", _, what] => tank(self.tanks.fresh_water, what),
            ["tanks", "wasteWater", _, what] => tank(self.tanks.grey_water, what),
            ["electrical", "batteries", "starter" | "1", rest @ ..] => battery(&self.power.starter, rest),
            ["electrical", "batteries", _, rest @ ..] => battery(&self.power.house, rest),
            ["electrical", "ac", rest @ ..] => self.alternating_current(rest),
            ["electrical", "dc", _, "power"] => Some(self.power.draw_w()),
            _ => None,
        }
    }

    /// The same for what is told in words.
    pub(crate) fn word(&self, path: &str) -> Option<&'static str> {
        let parts: Vec<&str> = path.split('.').collect();
        Some(match parts.as_slice() {
            ["electrical", "batteries", _, "state"] => match self.power.house.current_a {
                out if out < 0.0 => "discharging",
                into if into > 0.0 => "charging",
                _ => "idle",
            },
            ["electrical", "ac", "activeSource"] if self.power.generator.running => "generator",
            ["electrical", "ac", "activeSource"] => "notConnected",
            _ => return None,
        })
    }

    fn navigation(&self, path: &[&str]) -> Option<f64> {
        let ground = self.over_ground();
        Some(match path {
            ["headingTrue"] => self.heading.to_radians(),
            ["headingMagnetic"] => (self.heading - super::VARIATION).rem_euclid(360.0).to_radians(),
            ["courseOverGroundTrue"] => ground.direction().to_radians(),
            ["speedOverGround"] => ground.speed(),
            ["speedThroughWater"] => self.through_water_ms(),
            ["rateOfTurn"] => self.turn.to_radians(),
            ["rudderAngle"] => self.rudder.to_radians(),
            ["attitude", "pitch"] => self.pitch_and_roll().0.to_radians(),
            ["attitude", "roll"] => self.pitch_and_roll().1.to_radians(),
            ["position", "latitude"] => self.place.latitude,
            ["position", "longitude"] => self.place.longitude,
            _ => return None,
        })
    }

    fn environment(&self, path: &[&str]) -> Option<f64> {
        Some(match path {
            ["water", "temperature"] => self.weather.water_temperature_k(),
            ["outside", "temperature"] => self.weather.air_temperature_k(),
            ["outside", "pressure"] => self.weather.pressure_pa.value,
            ["outside", "relativeHumidity"] => self.weather.humidity_ratio.value,
            ["depth", "belowTransducer"] => self.depth_m(),
            ["wind", "angleApparent"] => self.apparent_wind().0.to_radians(),
            ["wind", "speedApparent"] => self.apparent_wind().1,
            ["wind", "speedTrue"] => self.wind_over_water().1,
            _ => return None,
        })
    }

    fn propulsion(&self, path: &[&str]) -> Option<f64> {
        let engine = &self.engine;
        Some(match path {
            ["revolutions"] => engine.rpm.value / 60.0,
            ["engineLoad"] => engine.load_ratio,
            ["oilPressure"] => engine.oil_pressure_pa,
            ["oilTemperature"] => engine.oil_temperature_k,
            ["temperature" | "coolantTemperature"] => engine.coolant_temperature_k,
            ["coolantPressure"] => engine.coolant_pressure_pa,
            ["exhaustTemperature"] => engine.exhaust_temperature_k,
            ["boostPressure"] => engine.boost_pa,
            ["fuel", "rate"] => engine.fuel_rate_m3_s,
            ["runTime"] => engine.run_s,
            _ => return None,
        })
    }

    /// The generator: the first of three phases carries all, nothing goes back, and nothing comes from the shore.
    fn alternating_current(&self, path: &[&str]) -> Option<f64> {
        let generator = &self.power.generator;
        let volt_amperes = generator.apparent_va();
        let value = match path.last().copied()? {
            "voltage" | "lineNeutralVoltage" => generator.voltage_v,
            "lineLineVoltage" => 0.0,
            "current" => generator.current_a,
            "frequency" => generator.frequency_hz,
            "power" | "realPower" => generator.power_w,
            "apparentPower" => volt_amperes,
            "reactivePower" => (volt_amperes * volt_amperes - generator.power_w * generator.power_w).max(0.0).sqrt(),
            "powerFactor" => generator.power_factor(),
            "energyImported" => generator.energy_j,
            "energyExported" => 0.0,
            _ => return None,
        };
        let idle = path.contains(&"grid") || path.contains(&"B") || path.contains(&"C");
        Some(if idle { 0.0 } else { value })
    }
}

fn tank(tank: Tank, what: &str) -> Option<f64> {
    match what {
        "currentLevel" => Some(tank.level_ratio),
        "capacity" => Some(tank.capacity_m3),
        _ => None,
    }
}

fn battery(battery: &Battery, path: &[&str]) -> Option<f64> {
    Some(match path {
        ["voltage"] => battery.voltage_v,
        ["current"] => battery.current_a,
        ["power"] => battery.voltage_v * battery.current_a,
        ["temperature"] => battery.temperature_k,
        ["capacity", "stateOfCharge"] => battery.charge_ratio,
        ["capacity", "stateOfHealth"] => super::HEALTH_RATIO,
        ["capacity", "dischargeSinceFull"] => (1.0 - battery.charge_ratio) * battery.capacity_c,
        ["capacity", "timeRemaining"] => battery.remaining_s()?,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Stamp;
    use crate::sim::Start;

    #[test]
    fn paths_lead_to_values_in_si() {
        let mut vessel = Vessel::new(1, Start::default());
        vessel.advance(Stamp::from_millis(1_795_243_260_000));
        for (path, range) in [
            ("navigation.headingTrue", 0.0..7.0),
            ("propulsion.main.revolutions", 25.0..35.0),
            ("propulsion.main.temperature", 320.0..380.0),
            ("tanks.fuel.0.currentLevel", 0.0..1.0),
            ("electrical.batteries.house.voltage", 23.0..29.0),
            ("electrical.batteries.starter.voltage", 11.0..14.0),
            ("environment.outside.pressure", 90_000.0..110_000.0),
        ] {
            let value = vessel.value(path).unwrap_or_else(|| panic!("{path} is missing"));
            assert!(range.contains(&value), "{path}: {value}");
        }
        let [battery_w, draw_w] = ["electrical.batteries.house.power", "electrical.dc.house.power"]
            .map(|path| vessel.value(path).unwrap_or_else(|| panic!("{path} is missing")));
        assert!(battery_w < 0.0 && (battery_w + draw_w).abs() < 1e-9, "the battery feeds the loads: {battery_w}");
        assert_eq!(vessel.word("electrical.batteries.house.state"), Some("discharging"));
        assert_eq!(vessel.word("electrical.ac.activeSource"), Some("notConnected"));
        assert_eq!(vessel.value("navigation.magicNumber"), None);
        assert_eq!(vessel.value(""), None);
    }
}
