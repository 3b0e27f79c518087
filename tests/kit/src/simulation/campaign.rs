//! Many seeds on all cores: what they found, and how often the rare things happened.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::checker;
use crate::checker::history::{Event, Moment};
use crate::simulation::counters::Counters;
use crate::simulation::flood;
use crate::simulation::world::{self, Remains};

/// After so many violations a campaign ends.
const VIOLATIONS: usize = 5;

/// What became of a campaign.
#[derive(Default)]
pub struct Report {
    pub seeds: u64,
    pub totals: Totals,
    pub counters: Counters,
    /// Seeds whose worlds broke a promise, and how.
    pub violations: Vec<(u64, String)>,
}

/// How much happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    pub sends: u64,
    pub deliveries: u64,
    pub broker_crashes: u64,
    pub client_crashes: u64,
}

impl Totals {
    fn of(history: &[Moment]) -> Self {
        let mut totals = Self::default();
        for moment in history {
            let total = match moment.event {
                Event::Send { .. } => &mut totals.sends,
                Event::Deliver { .. } => &mut totals.deliveries,
                Event::BrokerCrash => &mut totals.broker_crashes,
                Event::Crash { .. } => &mut totals.client_crashes,
                _ => continue,
            };
            *total += 1;
        }
        totals
    }

    fn add(&mut self, other: Self) {
        self.sends += other.sends;
        self.deliveries += other.deliveries;
        self.broker_crashes += other.broker_crashes;
        self.client_crashes += other.client_crashes;
    }
}

/// Runs one seed; says what is wrong with its world, if anything is. It may be that the world did
/// not even come to its end.
pub fn try_seed(seed: u64, look: impl FnOnce(&[Moment])) -> Result<Remains, String> {
    let run = || {
        flood::run(seed)?;
        let remains = world::run(seed);
        look(&remains.history);
        match checker::check(&remains.history) {
            Ok(()) => Ok(remains),
            Err(violation) => Err(violation.to_string()),
        }
    };
    caught(run).unwrap_or_else(Err)
}

/// Runs something that panics if it notices what is wrong; says what that was.
pub fn noticed(run: impl FnOnce()) -> Result<(), String> {
    caught(run)
}

fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
        text.unwrap_or_else(|| "a panic".into())
    })
}

/// Runs so many seeds from the first one on.
pub fn run(first: u64, seeds: u64) -> Report {
    let next = AtomicU64::new(first);
    let report = Mutex::new(Report::default());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + seeds || report.lock().unwrap().violations.len() >= VIOLATIONS {
                return;
            }
            let result = try_seed(seed, |_| {});
            let totals = result.as_ref().map(|remains| Totals::of(&remains.history));
            let mut report = report.lock().unwrap();
            report.seeds += 1;
            if report.seeds % 1000 == 0 {
                println!("{} of {seeds} seeds", report.seeds);
            }
            report.totals.add(totals.unwrap_or_default());
            match result {
                Ok(remains) => report.counters.merge(&remains.counters),
                Err(what) => report.violations.push((seed, what)),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    report.into_inner().unwrap()
}
