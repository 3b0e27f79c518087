//! Everything that a simulation leaves to chance: the same for the same seed.

use std::time::Duration;

use crate::random::Random;

/// A source of chance.
#[derive(Clone, Debug)]
pub(crate) struct Dice(Random);

impl Dice {
    /// Dice that fall as this seed says.
    pub(crate) fn new(seed: u64) -> Self {
        Self(Random::new(
            seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ 0x5EED,
        ))
    }

    /// Other dice, for somebody else.
    pub(crate) fn split(&mut self) -> Self {
        Self(Random::new(self.0.next()))
    }

    /// Any number.
    pub(crate) fn number(&mut self) -> u64 {
        self.0.next()
    }

    /// True so many times out of a thousand.
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.0.below(1000) < per_mille
    }

    /// A number between these, both included.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.0.below(most - least + 1)
    }

    /// The same, for counting.
    pub(crate) fn count(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }

    /// An index below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.0.below(end as u64)).unwrap()
    }

    /// One of these.
    pub(crate) fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// A time between these many microseconds, short ones being more likely.
    pub(crate) fn micros(&mut self, least: u64, most: u64) -> Duration {
        let bits = 64 - (most - least).leading_zeros();
        let shift = self.between(0, u64::from(bits.min(6)));
        Duration::from_micros(least + self.0.below(((most - least) >> shift) + 1))
    }

    /// The same in milliseconds.
    pub(crate) fn millis(&mut self, least: u64, most: u64) -> Duration {
        self.micros(least * 1000, most * 1000)
    }

    /// Bytes that mean nothing.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length)
            .map(|_| self.0.next().to_le_bytes()[0])
            .collect()
    }
}
