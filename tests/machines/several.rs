//! Worlds of several brokers that share one order over a simulated stream.

use std::collections::BTreeMap;

use orden_kit::several;

/// What has to happen in some world, or it was not tried.
const SOMETIMES: &[&str] = &[
    "begun with a snapshot",
    "machine lost",
    "part of a snapshot appended",
    "stream purged",
    "append acknowledged and lost",
    "append delayed",
    "append lost",
    "append refused",
    "append stored twice",
    "append stored, ack lost",
    "append behind what is no record",
    "append refused: stream full",
    "stream full",
    "sent elsewhere",
    "record_malformed",
    "record_out_of_turn",
    "broker counted as gone, and back",
    "broker cut off",
    "broker killed",
    "broker stopped for a while",
    "client stopped for a while",
    "hole fetched",
    "no leader",
    "power cut",
    "read again",
    "record_fenced",
    "record_repeated",
    "tail dropped",
    "torn round cut off",
];

/// What has to happen in some of so many worlds.
const RARELY: &[&str] = &[
    "broker killed while a snapshot was half written",
    "left behind",
    "trimmed",
];
const MANY: u64 = 10_000;

fn number(variable: &str, otherwise: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(otherwise, |text| text.parse().expect("a number"))
}

/// `ORDEN_FIRST_SEED` and `ORDEN_SEEDS` say which worlds; the one that fails is printed last.
#[test]
fn several_brokers_give_one_order() {
    let (first, seeds) = (number("ORDEN_FIRST_SEED", 0), number("ORDEN_SEEDS", 400));
    let mut sometimes = BTreeMap::<&str, u64>::new();
    for seed in first..first + seeds {
        println!("seed {seed}");
        for (what, times) in several::run(seed) {
            *sometimes.entry(what).or_default() += times;
        }
    }
    println!("{sometimes:?}");
    let rarely = if seeds >= MANY { RARELY } else { &[] };
    for what in SOMETIMES.iter().chain(rarely) {
        assert!(
            sometimes.contains_key(what),
            "{what} never happened: {sometimes:?}"
        );
    }
}

/// How the engine breaks its word: each has to happen.
const EVIL: &[&str] = &[
    "broker stopped for good",
    "evil: records lost that were applied",
    "evil: records replaced that were applied",
    "evil: bits flipped in records that were applied",
    "evil: the stream is made anew",
    "evil: a replica has gone its own way",
    "evil: a record of a writer that has seen another history",
];

/// Records that all brokers had applied are not what they were, or brokers read different ones.
#[test]
fn all_brokers_stop_when_the_stream_breaks_its_word() {
    let (first, seeds) = (number("ORDEN_FIRST_SEED", 0), number("ORDEN_SEEDS", 100));
    let mut all = BTreeMap::<&str, u64>::new();
    for seed in first..first + seeds {
        println!("seed {seed}");
        for (what, times) in several::run_evil(seed) {
            *all.entry(what).or_default() += times;
        }
    }
    println!("{all:?}");
    for what in EVIL {
        assert!(all.contains_key(what), "{what} never happened: {all:?}");
    }
}
