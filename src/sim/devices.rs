//! Load: many simple devices, each with a transducer name of its own, each saying one reading at a steady rate.
//!
//! Pure: [`Devices::tick`] returns what is due. 100 devices at 100 readings/s are the 10,000 readings/s that a gateway
//! must take in. It refuses rates that do not fit a tick's batch: see [`RATE_MILLIHERTZ_MAX`].

use super::sentence::{Sentence, Spoken};

/// The fastest device: 1,000 readings/s, ten times the planned load, so that one tick's batch stays small.
pub const RATE_MILLIHERTZ_MAX: u64 = 1_000_000;

/// The most devices: `Y999` to name them, and about the live series that a gateway holds for one bus.
pub const DEVICES_MAX: u32 = 1_000;

/// Millihertz times milliseconds in one event.
const ONE_EVENT: u64 = 1_000_000;

/// How often something is due, exact over any time: no rounding is carried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    millihertz: u64,
    owed: u64,
}

impl Pace {
    /// `millihertz`, with `phase` of the first event already owed: from 0.0 to just under 1.0, which is due at once.
    pub(crate) fn new(millihertz: u64, phase: f64) -> Self {
        Self { millihertz, owed: ((phase * ONE_EVENT as f64) as u64).min(ONE_EVENT - 1) }
    }

    /// How many events fall into the next `tick_ms`.
    pub(crate) fn due(&mut self, tick_ms: u64) -> u64 {
        let owed = self.owed.saturating_add(self.millihertz.saturating_mul(tick_ms));
        self.owed = owed % ONE_EVENT;
        owed / ONE_EVENT
    }
}

/// The devices of one output.
#[derive(Debug)]
pub(crate) struct Devices {
    devices: Vec<Device>,
}

#[derive(Debug)]
struct Device {
    number: u32,
    pace: Pace,
    said: u64,
}

impl Devices {
    /// The devices with these numbers, at `millihertz` each, spread over the time between two readings.
    pub(crate) fn new(numbers: impl ExactSizeIterator<Item = u32>, millihertz: u64) -> Self {
        let total = numbers.len() as f64;
        let device = |(place, number)| {
            let pace = Pace::new(millihertz, f64::from(place) / total);
            Device { number, pace, said: 0 }
        };
        Self { devices: (0u32..).zip(numbers).map(device).collect() }
    }

    /// What is said in a tick of `tick_ms`.
    pub(crate) fn tick(&mut self, tick_ms: u64, said: &mut Vec<Spoken>) {
        for device in &mut self.devices {
            for _ in 0..device.pace.due(tick_ms) {
                said.push(device.say());
            }
        }
    }
}

impl Device {
    /// One transducer measurement; what is measured depends on the device's number.
    fn say(&mut self) -> Spoken {
        // A triangle wave of 200 steps: never the same value twice in a row, so that nothing can be compressed to
        // nothing.
        let phase = self.said % 200;
        let wave = if phase < 100 { phase } else { 200 - phase } as f64;
        self.said += 1;
        let name = format!("D{:03}", self.number);
        let (kind, value, unit) = match self.number % 4 {
            0 => ("C", 20.0 + wave * 0.05, "C"),
            1 => ("P", 1.0 + wave * 0.000_5, "B"),
            2 => ("A", wave * 0.1, "D"),
            _ => ("H", 40.0 + wave * 0.1, "P"),
        };
        Sentence::new("YX", "XDR").part(kind).value(format!("{value:.4}")).part(unit).part(name).end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_devices_at_a_hundred_hertz_are_ten_thousand_readings_a_second() {
        let mut devices = Devices::new(0..100, 100_000);
        let mut said = Vec::new();
        for _ in 0..50 {
            devices.tick(20, &mut said);
        }
        assert_eq!(said.iter().map(|s| s.readings).sum::<u32>(), 10_000);
        let names: std::collections::HashSet<_> = said.iter().filter_map(|s| s.sentence.split(',').nth(4)).collect();
        assert!(names.len() >= 100);
    }

    #[test]
    fn slow_devices_keep_their_pace_over_a_long_time() {
        let mut pace = Pace::new(300, 0.0);
        let due: u64 = (0..50_000).map(|_| pace.due(20)).sum();
        assert_eq!(due, 300, "1,000 s at 0.3 Hz");
    }
}
