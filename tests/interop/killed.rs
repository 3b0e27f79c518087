//! `orden-client` in a pipe, killed again and again: each line of its input is ordered, once.

use std::io::Write;
use std::process::ChildStdin;
use std::time::Duration;

use crate::seen;
use crate::stage;
use crate::support::broker::Broker;
use crate::support::monotonic::pause;
use crate::support::random::Random;

const LINES: u64 = 10_000;
const KILLS: usize = 8;

fn lines() -> Vec<String> {
    (1..=LINES).map(|number| format!("line {number}")).collect()
}

fn input() -> String {
    lines().join("\n")
}

/// Writes the whole input from its beginning, slowly enough to be killed meanwhile, until the
/// client has it all or is gone.
fn feed(mut pipe: ChildStdin) {
    for part in input().as_bytes().chunks(1024) {
        if pipe.write_all(part).is_err() {
            return;
        }
        pause(Duration::from_millis(4));
    }
}

#[test]
fn a_client_that_is_killed_again_and_again_loses_no_line() {
    let (seed, mut random) = Random::from_environment();
    let broker = Broker::start(&[]);
    let mut moments: Vec<_> = (0..KILLS)
        .map(|_| 1 + random.below(LINES * 9 / 10))
        .collect();
    moments.sort_unstable();
    let mut in_the_middle = 0;
    for moment in moments {
        let mut ana = stage::client(&broker, "ana", "--resume");
        let pipe = ana.take_input();
        let feeder = std::thread::spawn(|| feed(pipe));
        broker.await_status("a line", |status| status.next > moment);
        pause(Duration::from_micros(random.below(20_000)));
        ana.kill();
        feeder.join().expect("it only writes");
        in_the_middle += usize::from(broker.status().next < LINES);
    }
    assert!(
        in_the_middle >= KILLS / 2,
        "seed {seed}: {in_the_middle} kills in the middle"
    );

    let mut ana = stage::client(&broker, "ana", "--resume");
    let mut pipe = ana.take_input();
    pipe.write_all(input().as_bytes()).expect("it reads");
    drop(pipe);
    ana.finish();
    let order = stage::the_log(&broker);
    seen::is_dense(&order);
    let said: Vec<_> = lines().iter().map(|line| format!("ana: {line}")).collect();
    seen::holds(&order, "ana", &said);
}
