//! Wind, air and water about the vessel.

use crate::entropy::Entropy;
use crate::sim::wander::Wander;

use super::ZERO_CELSIUS_K;

/// The weather.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    /// Where the wind comes from, degrees true; not kept within 360.
    pub(crate) wind_direction: Wander,
    pub(crate) wind_speed_ms: Wander,
    pub(crate) water_temperature_c: Wander,
    pub(crate) air_temperature_c: Wander,
    pub(crate) pressure_pa: Wander,
    /// 0 to 1.
    pub(crate) humidity_ratio: Wander,
}

impl Weather {
    pub(crate) fn new(entropy: &Entropy) -> Self {
        Self {
            wind_direction: Wander::about(entropy.unit() * 360.0, 1.0),
            wind_speed_ms: Wander::about(4.0 + entropy.unit() * 6.0, 0.2),
            water_temperature_c: Wander::about(13.5, 0.01),
            air_temperature_c: Wander::about(16.0, 0.02),
            pressure_pa: Wander::about(101_500.0, 2.0),
            humidity_ratio: Wander::about(0.78, 0.001),
        }
    }

    pub(crate) fn step(&mut self, seconds: f64, entropy: &Entropy) {
        for wandering in [
            &mut self.wind_direction,
            &mut self.wind_speed_ms,
            &mut self.water_temperature_c,
            &mut self.air_temperature_c,
            &mut self.pressure_pa,
            &mut self.humidity_ratio,
        ] {
            wandering.step(seconds, entropy);
        }
        self.wind_speed_ms.value = self.wind_speed_ms.value.max(0.3);
        self.humidity_ratio.value = self.humidity_ratio.value.clamp(0.2, 1.0);
    }

    pub(crate) fn water_temperature_k(&self) -> f64 {
        self.water_temperature_c.value + ZERO_CELSIUS_K
    }

    pub(crate) fn air_temperature_k(&self) -> f64 {
        self.air_temperature_c.value + ZERO_CELSIUS_K
    }

    /// How much the vessel rolls: nothing in a calm, fully at Beaufort 5 (8 m/s) and above.
    pub(crate) fn sea_state(&self) -> f64 {
        (self.wind_speed_ms.value / 8.0).min(1.5)
    }
}
