//! Randomness. The only module that draws at random (invariant 8); everything else is handed an [`Entropy`].
//!
//! Seeded, a run is repeatable: the simulator and the tests depend on it. It is no source of keys when seeded.

use std::sync::{Arc, Mutex};

use uuid::{Builder, Uuid};

/// Bytes of an API token: 256 bits, so that it needs no slow hash to be stored safely.
const TOKEN_BYTES: usize = 32;

/// A handle on randomness; clones share it.
#[derive(Clone, Debug)]
pub struct Entropy(Arc<Source>);

#[derive(Debug)]
enum Source {
    System,
    Seeded(Mutex<u64>),
}

impl Entropy {
    /// The operating system's.
    pub fn system() -> Self {
        Self(Arc::new(Source::System))
    }

    /// Repeatable from `seed`; not for secrets.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Source::Seeded(Mutex::new(seed))))
    }

    /// 64 random bits.
    pub fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A number in `0..bound`; 0 when `bound` is 0.
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next_u64() % bound }
    }

    /// A number in `0.0..1.0`.
    pub fn unit(&self) -> f64 {
        // 53 bits fill the mantissa of an f64.
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A random UUID (version 4).
    pub fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        Builder::from_random_bytes(bytes).into_uuid()
    }

    /// A bearer token, 43 characters of base64url.
    pub fn token(&self) -> String {
        use base64::Engine as _;
        let mut bytes = [0; TOKEN_BYTES];
        self.fill(&mut bytes);
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
    }

    fn fill(&self, bytes: &mut [u8]) {
        match &*self.0 {
            Source::System => getrandom::fill(bytes).expect("the kernel's random source answers after boot"),
            Source::Seeded(state) => {
                let mut state = state.lock().expect("the generator's lock is never held across a panic");
                for chunk in bytes.chunks_mut(8) {
                    chunk.copy_from_slice(&splitmix64(&mut state).to_le_bytes()[..chunk.len()]);
                }
            }
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the whole state is the seed.
fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_the_system_does_not() {
        assert_eq!(Entropy::seeded(7).uuid(), Entropy::seeded(7).uuid());
        assert_ne!(Entropy::system().uuid(), Entropy::system().uuid());
        assert_eq!(Entropy::system().token().len(), 43);
    }

    #[test]
    fn bounds_hold() {
        let entropy = Entropy::seeded(1);
        assert_eq!(entropy.below(0), 0);
        for _ in 0..1_000 {
            assert!(entropy.below(3) < 3);
            assert!((0.0..1.0).contains(&entropy.unit()));
        }
    }
}
