//! Values that change as things on board do: wandering about a middle, or lagging behind a cause. Refuses to draw at
//! random itself: it is handed an [`Entropy`].

use crate::entropy::Entropy;

/// Share of the way back to the middle in one second.
const PULL_PER_S: f64 = 0.01;

/// A value that wanders about a middle, pulled back to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wander {
    pub(crate) value: f64,
    middle: f64,
    /// Typical change in one second.
    stride: f64,
}

impl Wander {
    pub(crate) const fn about(middle: f64, stride: f64) -> Self {
        Self { value: middle, middle, stride }
    }

    pub(crate) fn step(&mut self, seconds: f64, entropy: &Entropy) {
        let pull = (self.middle - self.value) * PULL_PER_S * seconds;
        self.value += pull + (entropy.unit() * 2.0 - 1.0) * self.stride * seconds.sqrt();
    }
}

/// Moves `value` towards `goal` as a warm body does, with this time constant.
pub(crate) fn lag(value: &mut f64, goal: f64, time_constant_s: f64, seconds: f64) {
    *value += (goal - *value) * (1.0 - (-seconds / time_constant_s).exp());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wandering_value_stays_about_its_middle() {
        let (entropy, mut value) = (Entropy::seeded(3), Wander::about(100.0, 1.0));
        for _ in 0..100_000 {
            value.step(1.0, &entropy);
            assert!((60.0..140.0).contains(&value.value), "{}", value.value);
        }
    }

    #[test]
    fn a_lagging_value_is_two_thirds_of_the_way_after_its_time_constant() {
        let mut value = 0.0;
        lag(&mut value, 1.0, 60.0, 60.0);
        assert!((0.62..0.64).contains(&value), "{value}");
        lag(&mut value, 1.0, 60.0, 1e9);
        assert!((value - 1.0).abs() < 1e-9, "never beyond");
    }
}
