//! The main engine: revolutions first; load, heat, pressure and fuel follow. Refuses to be a model of combustion.

use crate::entropy::Entropy;
use crate::sim::wander::{Wander, lag};

use super::ZERO_CELSIUS_K;

/// Revolutions a minute at full load; what is given at 1,800 is a cruise.
const FULL_RPM: f64 = 2_600.0;

/// Fuel at full load: 24 l/h, a yacht's diesel of 80 kW at 0.25 kg/kWh and 0.84 kg/l.
const FULL_FUEL_M3_S: f64 = 24.0e-3 / 3_600.0;

/// Seconds between two faults, on average, and how long one lasts.
const FAULT_EVERY_S: f64 = 1_800.0;
const FAULT_LASTS_S: f64 = 120.0;

/// Faults that this engine knows: J1939-73 suspect parameter numbers with their failure mode identifiers.
const FAULTS: [(u32, u8); 4] = [
    // Engine coolant level, below the normal range, least severe.
    (111, 17),
    // Engine fuel filter differential pressure, above the normal range, least severe.
    (95, 15),
    // Battery potential, below the normal range, moderately severe.
    (168, 18),
    // Engine exhaust gas temperature, above the normal range, moderately severe.
    (173, 16),
];

/// A diagnostic trouble code that is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TroubleCode {
    /// Suspect parameter number.
    pub(crate) spn: u32,
    /// Failure mode identifier.
    pub(crate) fmi: u8,
    /// How often it came so far.
    pub(crate) count: u8,
}

/// The engine, SI.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    pub(crate) rpm: Wander,
    /// 0 to 1 of what it can give at this speed.
    pub(crate) load_ratio: f64,
    pub(crate) oil_pressure_pa: f64,
    pub(crate) oil_temperature_k: f64,
    pub(crate) coolant_temperature_k: f64,
    pub(crate) coolant_pressure_pa: f64,
    pub(crate) exhaust_temperature_k: f64,
    pub(crate) boost_pa: f64,
    pub(crate) fuel_rate_m3_s: f64,
    pub(crate) run_s: f64,
    /// Seconds left of each of [`FAULTS`], and how often it came.
    faults: [(f64, u8); FAULTS.len()],
}

impl Engine {
    pub(crate) fn new(entropy: &Entropy) -> Self {
        let mut engine = Self {
            rpm: Wander::about(1_800.0, 6.0),
            load_ratio: 0.0,
            oil_pressure_pa: 0.0,
            oil_temperature_k: ZERO_CELSIUS_K + 90.0,
            coolant_temperature_k: ZERO_CELSIUS_K + 82.0,
            coolant_pressure_pa: 0.0,
            exhaust_temperature_k: ZERO_CELSIUS_K + 350.0,
            boost_pa: 0.0,
            fuel_rate_m3_s: 0.0,
            run_s: (800.0 + entropy.unit() * 4_000.0) * 3_600.0,
            faults: [(0.0, 0); FAULTS.len()],
        };
        engine.follow(0.0, 0.0);
        engine
    }

    pub(crate) fn step(&mut self, seconds: f64, water_temperature_k: f64, entropy: &Entropy) {
        self.rpm.step(seconds, entropy);
        self.run_s += seconds;
        self.follow(water_temperature_k - (ZERO_CELSIUS_K + 13.5), seconds);
        for (left_s, count) in &mut self.faults {
            *left_s = (*left_s - seconds).max(0.0);
            if *left_s <= 0.0 && entropy.unit() < seconds / (FAULT_EVERY_S * FAULTS.len() as f64) {
                // 126 is the most that the field can count: 127 says that it is not known (J1939-73, 5.7.1.11).
                (*left_s, *count) = (FAULT_LASTS_S, count.saturating_add(1).min(126));
            }
        }
    }

    /// All that follows from the revolutions; `warmer_k` is the sea's difference to the usual.
    fn follow(&mut self, warmer_k: f64, seconds: f64) {
        let speed = (self.rpm.value / FULL_RPM).clamp(0.0, 1.1);
        // The propeller takes the third power of the revolutions; a fixed part turns the engine itself.
        self.load_ratio = (0.08 + 0.92 * speed.powi(3)).min(1.0);
        self.fuel_rate_m3_s = FULL_FUEL_M3_S * self.load_ratio;
        self.boost_pa = 140_000.0 * self.load_ratio;
        lag(&mut self.coolant_temperature_k, ZERO_CELSIUS_K + 76.0 + 12.0 * self.load_ratio + warmer_k, 300.0, seconds);
        lag(&mut self.oil_temperature_k, self.coolant_temperature_k + 4.0 + 14.0 * self.load_ratio, 600.0, seconds);
        lag(&mut self.exhaust_temperature_k, ZERO_CELSIUS_K + 180.0 + 420.0 * self.load_ratio, 20.0, seconds);
        // Thin when hot.
        let thin = (self.oil_temperature_k - (ZERO_CELSIUS_K + 90.0)) * 1_500.0;
        self.oil_pressure_pa = 180_000.0 + 280_000.0 * speed - thin;
        self.coolant_pressure_pa = 60_000.0 + 50_000.0 * speed;
    }

    /// The faults that are active.
    pub(crate) fn trouble(&self) -> Vec<TroubleCode> {
        let active = FAULTS.iter().zip(&self.faults).filter(|(_, (left_s, _))| *left_s > 0.0);
        active.map(|(&(spn, fmi), &(_, count))| TroubleCode { spn, fmi, count }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_values_follow_the_revolutions() {
        let entropy = Entropy::seeded(1);
        let (mut idle, mut full) = (Engine::new(&entropy), Engine::new(&entropy));
        for _ in 0..3_600 {
            (idle.rpm.value, full.rpm.value) = (700.0, FULL_RPM);
            idle.follow(0.0, 1.0);
            full.follow(0.0, 1.0);
        }
        assert!(idle.load_ratio < 0.15 && full.load_ratio > 0.95);
        assert!(full.coolant_temperature_k > idle.coolant_temperature_k + 5.0);
        assert!(full.exhaust_temperature_k > idle.exhaust_temperature_k + 200.0);
        assert!(full.oil_pressure_pa > idle.oil_pressure_pa);
        assert!((full.fuel_rate_m3_s * 3_600e3 - 24.0).abs() < 0.1, "24 l/h");
    }

    #[test]
    fn faults_come_go_and_are_counted() {
        let (entropy, mut seen) = (Entropy::seeded(1), Vec::new());
        let mut engine = Engine::new(&entropy);
        for _ in 0..86_400 {
            engine.step(1.0, ZERO_CELSIUS_K + 13.5, &entropy);
            seen.push(engine.trouble().len());
        }
        for count in 0..=2 {
            assert!(seen.contains(&count), "never {count} at once");
        }
        assert!(engine.faults.iter().all(|(_, count)| *count > 1));
    }
}
