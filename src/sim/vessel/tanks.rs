//! Tanks: fuel falls by what the engine and the generator burn, fresh water becomes grey. Filled and emptied by
//! themselves before they are dry or full: a week is longer than a tank.

use crate::entropy::Entropy;

/// A litre, in cubic metres.
const LITRE_M3: f64 = 1e-3;

/// Water that the crew uses in a day.
const WATER_PER_DAY_M3: f64 = 300.0 * LITRE_M3;

/// Seconds in a day.
const DAY_S: f64 = 86_400.0;

/// A level at which the next berth's pump is imagined.
const LOW: f64 = 0.08;
const HIGH: f64 = 0.95;

/// One tank.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tank {
    /// 0 to 1 of the capacity.
    pub(crate) level_ratio: f64,
    pub(crate) capacity_m3: f64,
}

impl Tank {
    /// Adds what came, or takes what went.
    fn pour(&mut self, m3: f64) {
        self.level_ratio += m3 / self.capacity_m3;
        if self.level_ratio < LOW {
            self.level_ratio = HIGH;
        } else if self.level_ratio > HIGH {
            self.level_ratio = LOW;
        }
    }
}

/// All tanks.
#[derive(Clone, Debug)]
pub(crate) struct Tanks {
    pub(crate) fuel: Tank,
    pub(crate) fresh_water: Tank,
    pub(crate) grey_water: Tank,
}

impl Tanks {
    pub(crate) fn new(entropy: &Entropy) -> Self {
        let tank = |litres: f64| Tank { level_ratio: 0.4 + entropy.unit() * 0.4, capacity_m3: litres * LITRE_M3 };
        Self { fuel: tank(1_200.0), fresh_water: tank(800.0), grey_water: tank(300.0) }
    }

    pub(crate) fn step(&mut self, seconds: f64, fuel_m3_s: f64) {
        let water_m3 = WATER_PER_DAY_M3 / DAY_S * seconds;
        self.fuel.pour(-fuel_m3_s * seconds);
        self.fresh_water.pour(-water_m3);
        self.grey_water.pour(water_m3);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fuel_tank_falls_by_what_is_burnt_and_no_tank_leaves_its_bounds() {
        let mut tanks = Tanks::new(&Entropy::seeded(1));
        let before = tanks.fuel.level_ratio;
        tanks.step(3_600.0, 10.0e-3 / 3_600.0);
        assert!(((before - tanks.fuel.level_ratio) * 1_200.0 - 10.0).abs() < 1e-6, "10 l");
        for _ in 0..7 * 24 {
            tanks.step(3_600.0, 24.0e-3 / 3_600.0);
            for tank in [tanks.fuel, tanks.fresh_water, tanks.grey_water] {
                assert!((LOW..=HIGH).contains(&tank.level_ratio));
            }
        }
    }
}
