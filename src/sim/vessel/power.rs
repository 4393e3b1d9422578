//! Electricity: a generator on alternating current, a house battery that it charges by turns, a starter battery that
//! rests. Refuses to be a model of chemistry.

use crate::entropy::Entropy;
use crate::sim::wander::Wander;

use super::ZERO_CELSIUS_K;

/// The generator starts below this state of charge, and stops above the other.
const START_BELOW: f64 = 0.55;
const STOP_ABOVE: f64 = 0.92;

/// What the charger gives while the generator runs, A.
const CHARGE_A: f64 = 120.0;

/// Coulombs in an ampere-hour, joules in a watt-hour.
const PER_HOUR: f64 = 3_600.0;

/// Fuel of the generator: 3 l/h.
const GENERATOR_FUEL_M3_S: f64 = 3.0e-3 / 3_600.0;

/// The generator's power factor.
const POWER_FACTOR: f64 = 0.9;

/// A battery.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Battery {
    pub(crate) voltage_v: f64,
    /// Positive while it is charged.
    pub(crate) current_a: f64,
    /// 0 to 1.
    pub(crate) charge_ratio: f64,
    pub(crate) temperature_k: f64,
    pub(crate) capacity_c: f64,
    /// Resistance within, ohms.
    resistance: f64,
    /// Volts empty and full, at rest.
    at_rest_v: (f64, f64),
}

impl Battery {
    fn new(ampere_hours: f64, charge_ratio: f64, resistance: f64, at_rest_v: (f64, f64)) -> Self {
        let (current_a, temperature_k) = (0.0, ZERO_CELSIUS_K + 20.0);
        let capacity_c = ampere_hours * PER_HOUR;
        Self { voltage_v: at_rest_v.1, current_a, charge_ratio, temperature_k, capacity_c, resistance, at_rest_v }
    }

    fn step(&mut self, seconds: f64, current_a: f64, room_k: f64) {
        self.current_a = current_a;
        self.charge_ratio = (self.charge_ratio + current_a * seconds / self.capacity_c).clamp(0.0, 1.0);
        let (empty, full) = self.at_rest_v;
        self.voltage_v = empty + (full - empty) * self.charge_ratio + current_a * self.resistance;
        self.temperature_k = room_k + 0.04 * current_a.abs();
    }

    /// Seconds until it is empty at this current; none while it is charged.
    pub(crate) fn remaining_s(&self) -> Option<f64> {
        (self.current_a < 0.0).then(|| self.charge_ratio * self.capacity_c / -self.current_a)
    }
}

/// The generator: one phase of 230 V.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Generator {
    pub(crate) running: bool,
    pub(crate) voltage_v: f64,
    pub(crate) frequency_hz: f64,
    pub(crate) current_a: f64,
    /// Real power.
    pub(crate) power_w: f64,
    /// Counted since it was built.
    pub(crate) energy_j: f64,
}

impl Generator {
    /// Volt-amperes.
    pub(crate) fn apparent_va(&self) -> f64 {
        self.voltage_v * self.current_a
    }

    pub(crate) const fn power_factor(&self) -> f64 {
        POWER_FACTOR
    }

    /// Fuel that it burns, m3/s.
    pub(crate) fn fuel_m3_s(&self) -> f64 {
        if self.running { GENERATOR_FUEL_M3_S } else { 0.0 }
    }
}

/// All of it.
#[derive(Clone, Debug)]
pub(crate) struct Power {
    pub(crate) house: Battery,
    pub(crate) starter: Battery,
    pub(crate) generator: Generator,
    /// What lights, pumps and instruments draw from the house battery, A.
    draw_a: Wander,
}

impl Power {
    pub(crate) fn new(entropy: &Entropy) -> Self {
        let (running, energy_j) = (false, 3.2e9 + entropy.unit() * 1e9);
        let generator =
            Generator { running, voltage_v: 0.0, frequency_hz: 0.0, current_a: 0.0, power_w: 0.0, energy_j };
        Self {
            house: Battery::new(800.0, 0.6 + entropy.unit() * 0.2, 0.002, (24.0, 26.4)),
            starter: Battery::new(120.0, 0.98, 0.006, (11.8, 12.9)),
            generator,
            draw_a: Wander::about(45.0, 1.0),
        }
    }

    /// What the loads draw from the house battery and its charger, W.
    pub(crate) fn draw_w(&self) -> f64 {
        self.draw_a.value * self.house.voltage_v
    }

    pub(crate) fn step(&mut self, seconds: f64, room_k: f64, entropy: &Entropy) {
        self.draw_a.step(seconds, entropy);
        self.draw_a.value = self.draw_a.value.max(5.0);
        let (generator, house) = (&mut self.generator, &mut self.house);
        generator.running = match house.charge_ratio {
            low if low < START_BELOW => true,
            high if high > STOP_ABOVE => false,
            _ => generator.running,
        };
        let draw_a = self.draw_a.value;
        house.step(seconds, if generator.running { CHARGE_A - draw_a } else { -draw_a }, room_k);
        self.starter.step(seconds, if self.starter.charge_ratio < 0.99 { 2.0 } else { 0.1 }, room_k);
        if generator.running {
            generator.voltage_v = 230.0 + (entropy.unit() - 0.5) * 2.0;
            generator.frequency_hz = 50.0 + (entropy.unit() - 0.5) * 0.2;
            // The charger, with its losses, and the galley.
            generator.power_w = CHARGE_A * house.voltage_v / 0.92 + 600.0;
            generator.current_a = generator.power_w / POWER_FACTOR / generator.voltage_v;
            generator.energy_j += generator.power_w * seconds;
        } else {
            (generator.voltage_v, generator.frequency_hz) = (0.0, 0.0);
            (generator.power_w, generator.current_a) = (0.0, 0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_runs_by_turns_and_its_energy_counter_only_rises() {
        let (entropy, mut turns) = (Entropy::seeded(1), 0);
        let mut power = Power::new(&entropy);
        for _ in 0..86_400 {
            let before = power.generator;
            power.step(1.0, ZERO_CELSIUS_K + 18.0, &entropy);
            turns += u32::from(before.running != power.generator.running);
            assert!(power.generator.energy_j >= before.energy_j);
            assert!((0.5..0.95).contains(&power.house.charge_ratio), "{}", power.house.charge_ratio);
            assert!((23.0..28.5).contains(&power.house.voltage_v), "{}", power.house.voltage_v);
            assert_eq!(power.house.remaining_s().is_some(), power.house.current_a < 0.0);
        }
        assert!(turns >= 4, "{turns}");
    }

    #[test]
    fn power_is_voltage_times_current_times_the_power_factor() {
        let entropy = Entropy::seeded(1);
        let mut power = Power::new(&entropy);
        power.house.charge_ratio = 0.5;
        power.step(1.0, ZERO_CELSIUS_K + 18.0, &entropy);
        let generator = power.generator;
        assert!(generator.running);
        assert!((generator.apparent_va() * generator.power_factor() - generator.power_w).abs() < 1e-6);
    }
}
