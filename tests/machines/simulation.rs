//! Seeded worlds: the broker's machine and its log, the clients' machine, models of all other
//! peers, and everything that can go wrong between them. One seed is one run.
//!
//! `cargo test --test machines simulation::` runs a thousand. With `--release` and
//! `ORDEN_SEEDS=100000` it runs more; with `ORDEN_SEED=17` one, which `--nocapture` prints.

#![expect(clippy::unwrap_used, reason = "a simulation that fails may panic")]

use orden_kit::checker::history::Moment;
use orden_kit::simulation::campaign::{self, try_seed};
use orden_kit::simulation::counters::Sometimes;
use orden_kit::simulation::world;

/// How many seeds are run if nothing else is said.
const SEEDS: u64 = 1000;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap())
}

fn print(history: &[Moment]) {
    for moment in history {
        println!("{:>10} {:?}", moment.at, moment.event);
    }
}

#[test]
fn no_world_breaks_a_promise() {
    if let Some(seed) = number("ORDEN_SEED") {
        if let Err(violation) = try_seed(seed, print) {
            panic!("{violation}");
        }
        return;
    }
    let seeds = number("ORDEN_SEEDS").unwrap_or(SEEDS);
    let report = campaign::run(number("ORDEN_FIRST_SEED").unwrap_or(0), seeds);
    for (seed, what) in &report.violations {
        println!(
            "ORDEN_SEED={seed} cargo test --test machines simulation:: -- --nocapture\n{what}"
        );
    }
    assert!(report.violations.is_empty(), "see above");
    println!("{} seeds: {:?}", report.seeds, report.totals);
    for &what in Sometimes::ALL {
        println!("{what:?}: {}", report.counters.of(what));
    }
    let never = Sometimes::ALL
        .iter()
        .filter(|&&what| report.counters.of(what) == 0);
    let never: Vec<_> = never.collect();
    assert!(never.is_empty(), "this never happened: {never:?}");
}

#[test]
fn a_seed_gives_the_same_world_every_time() {
    for seed in 0..20 {
        let histories = [0, 0].map(|_| world::run(seed).history);
        assert!(histories[0] == histories[1], "seed {seed}");
    }
}
