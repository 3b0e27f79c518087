//! Whether the tests would notice: each mistake of `orden::core::mutant` is made on purpose, and
//! simulated worlds are run until one breaks a promise. Without a mistake none may.
//!
//! `cargo test --features mutants --test mutants -- --nocapture` prints who was caught, and how.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod keys;
mod seats;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use orden::core::mutant::Mutant;
use orden_kit::several;
use orden_kit::simulation::campaign::{self, noticed, try_seed};

/// A mistake that shows in none of so many worlds goes unnoticed.
const SEEDS: u64 = 2000;
/// Worlds without a mistake.
const CONTROL: u64 = 300;

/// How a mistake was noticed.
struct Caught {
    worlds: u64,
    how: String,
}

/// Where a mistake is looked for.
enum Stage {
    /// Worlds of one broker.
    One,
    /// Worlds of several brokers, whose stream breaks its word in half of them.
    Several,
    /// A story of its own.
    Story(fn() -> Result<(), String>),
}

impl Stage {
    fn of(mutant: Mutant) -> Self {
        match mutant {
            Mutant::AckWithAnyKey | Mutant::PublishWithAnyKey => Self::Story(keys::check),
            Mutant::HearOldSeats
            | Mutant::GoneAnyway
            | Mutant::CountBehindGap
            | Mutant::OpenAnyway => Self::Story(seats::check),
            Mutant::CountTwice
            | Mutant::BelieveAcks
            | Mutant::SeatOldAttempts
            | Mutant::LimitInApply
            | Mutant::ForgetWriters
            | Mutant::IgnoreChains
            | Mutant::MarkTooEarly
            | Mutant::StopAtAck => Self::Several,
            _ => Self::One,
        }
    }

    /// What a world shows.
    fn try_seed(&self, seed: u64) -> Result<(), String> {
        match self {
            Self::One => try_seed(seed, |_| {}).map(drop),
            Self::Several if seed.is_multiple_of(2) => noticed(|| drop(several::run(seed / 2))),
            Self::Several => noticed(|| drop(several::run_evil(seed / 2))),
            Self::Story(check) => check(),
        }
    }
}

/// Looks for a world in which this mistake shows.
fn hunt(mutant: Mutant) -> Option<Caught> {
    Mutant::let_live(Some(mutant));
    let stage = Stage::of(mutant);
    let seeds = if let Stage::Story(_) = stage {
        1
    } else {
        SEEDS
    };
    let caught = (0..seeds).find_map(|seed| {
        let how = stage.try_seed(seed).err()?;
        Some(Caught {
            worlds: seed + 1,
            how,
        })
    });
    Mutant::let_live(None);
    caught
}

fn on_all_cores(work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(&work);
        }
    });
}

#[test]
fn each_mistake_is_noticed_and_nothing_else() {
    // A mistake may well make a machine panic: that is one way to notice it.
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let caught = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    on_all_cores(|| {
        while let Some(&mutant) = Mutant::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            let found = hunt(mutant);
            caught.lock().unwrap().push((mutant, found));
        }
    });
    std::panic::set_hook(before);
    let mut caught = caught.into_inner().unwrap();
    caught.sort_by_key(|(mutant, _)| Mutant::ALL.iter().position(|other| other == mutant));
    let all = caught.len();
    let noticed = caught.iter().filter(|(_, found)| found.is_some()).count();
    for (place, (mutant, found)) in caught.iter().enumerate() {
        let how = match found {
            Some(Caught { worlds, how }) => {
                let first = how.lines().next().unwrap_or_default();
                format!("world {worlds}: {first}")
            }
            None => "unnoticed".to_owned(),
        };
        println!("M{} {mutant:?}: {how}", place + 1);
    }
    println!("{noticed} of {all} noticed");
    let report = campaign::run(0, CONTROL);
    assert!(report.violations.is_empty(), "{:?}", report.violations);
    for seed in 0..CONTROL {
        Stage::Several.try_seed(seed).unwrap();
    }
    keys::check().unwrap();
    seats::check().unwrap();
    assert_eq!(noticed, all, "a mistake went unnoticed");
}
