//! Randomness from a printed seed (`SplitMix64`: Steele, Lea, Flood, OOPSLA 2014).

/// A stream of numbers that its seed decides.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// `ORDEN_FAULTS_SEED`, or one that is drawn; printed, so that a run can be had again.
    pub fn from_environment() -> (u64, Self) {
        let given = std::env::var("ORDEN_FAULTS_SEED").ok();
        let given = given.map(|seed| seed.parse().expect("a number"));
        let seed = given.unwrap_or_else(|| getrandom::u64().expect("randomness"));
        println!("seed: ORDEN_FAULTS_SEED={seed}");
        (seed, Self(seed))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("an index")
    }
}
