//! `kill -9` of a real broker under load, again and again: nothing that was confirmed or seen is
//! lost, ordered twice, or renumbered.
//!
//! `ORDEN_CRASH_ROUNDS` says how many kills there are; `docs/internals/journal.md` has the command
//! and what came out.

use orden_kit::checker::check;
use orden_kit::checker::history::Event;
use orden_kit::checker::outcome::Outcome;
use orden_kit::clock::{now_us, since_ms};
use orden_kit::crew::{Crew, MOST_A_ROUND};
use orden_kit::programs::broker::Broker;
use orden_kit::random::Random;
use orden_kit::whole_log;

/// Small segments, so that some kills come while the log goes from one to the next.
const FLAGS: [&str; 4] = ["--segment-bytes", "6291456", "--max-message-bytes", "70000"];

fn rounds() -> usize {
    let rounds = std::env::var("ORDEN_CRASH_ROUNDS").ok();
    rounds.map_or(20, |rounds| rounds.parse().expect("a number of rounds"))
}

/// The number that the next message gets, as the broker has found it in its log.
fn next_order(broker: &Broker) -> u64 {
    let lines = broker.program().complaint(0, "next order number ");
    let (_, rest) = lines[lines.len() - 1]
        .split_once("next order number ")
        .expect("just found");
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
    digits
        .and_then(|digits| digits.parse().ok())
        .expect("a number")
}

fn median_and_most(mut milliseconds: Vec<u64>) -> String {
    milliseconds.sort_unstable();
    let median = milliseconds.get(milliseconds.len() / 2).unwrap_or(&0);
    let most = milliseconds.last().unwrap_or(&0);
    format!("{median} / {most} ms")
}

#[test]
fn nothing_is_lost_however_often_the_broker_is_killed() {
    let (seed, mut random) = Random::from_environment();
    let rounds = rounds();
    let mut broker = Broker::start(&FLAGS);
    let mut crew = Crew::join(&[broker.endpoint()], random.next());
    crew.history.note(Event::BrokerStart {
        epoch: 1,
        next: next_order(&broker),
    });
    crew.turn_until_joined(&broker);
    let (mut next, mut killed_at) = (0, now_us());
    let (mut natives, mut everybody, mut in_flight) = (Vec::new(), Vec::new(), 0);
    for round in 0..rounds {
        if round > 0 && random.one_in(4) {
            // This kill befalls a broker that others are still coming back to.
            crew.turn_for(random.below(120_000));
        } else {
            let natives_well_at = crew.turn_until_well(next);
            if round > 0 {
                natives.push((natives_well_at - killed_at) / 1000);
                everybody.push(since_ms(killed_at));
            }
            crew.turn_until_confirmed(random.below(MOST_A_ROUND));
            crew.turn_for(random.below(3_000));
        }
        in_flight += crew.in_flight();
        let stopped = broker.kill();
        crew.history.note(Event::BrokerCrash);
        killed_at = now_us();
        broker = stopped.start();
        next = next_order(&broker);
        let epoch = u32::try_from(round + 2).expect("a few");
        crew.history.note(Event::BrokerStart { epoch, next });
    }
    crew.history.note(Event::Healed);
    crew.turn_until_done(&broker);
    let (end, stopped) = broker.stop();
    assert_eq!(end.code(), Some(0), "{}", end.complaint);

    for event in whole_log::events(stopped.data()) {
        crew.history.note(event);
    }
    crew.settle();
    let outcome = Outcome::of(crew.history.events());
    println!(
        "{rounds} kills with {in_flight} messages on their way: {} confirmed, {} lost, {} ordered \
         twice, {} deliveries\nserved again, median and most: native peers {}, all {}",
        outcome.confirmed,
        outcome.lost,
        outcome.duplicated,
        outcome.deliveries,
        median_and_most(natives),
        median_and_most(everybody)
    );
    if let Err(violation) = check(crew.history.moments()) {
        panic!("seed {seed}: {violation}");
    }
    assert_eq!(
        (outcome.lost, outcome.duplicated, outcome.reordered),
        (0, 0, 0),
        "seed {seed}"
    );
}
