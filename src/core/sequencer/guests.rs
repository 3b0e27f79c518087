//! Names for peers that have none.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

use crate::wire::Name;

/// Draws names that cannot be guessed, however many of them were seen: the next peer that has
/// none would be taken for whoever had guessed its name. The stream cipher is seeded once by the
/// shell, so that the machine stays a function of its inputs.
#[derive(Debug)]
pub(super) struct GuestNames(ChaCha12Rng);

/// What guests' names are drawn from: take it from the system's randomness.
pub type Seed = [u8; 32];

impl GuestNames {
    pub(super) fn new(seed: Seed) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// A number that cannot be guessed.
    pub(super) fn draw(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A name that `is_taken` says is free.
    pub(super) fn next(&mut self, is_taken: impl Fn(&[u8]) -> bool) -> Name {
        loop {
            let name = format!("guest-{:016x}", self.0.next_u64());
            if !is_taken(name.as_bytes()) {
                return Name::new(name.as_bytes()).expect("it is as names have to be");
            }
        }
    }
}
