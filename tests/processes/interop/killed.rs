//! `orden-client` in a pipe, killed again and again: each line of its input is ordered, once.

use std::io::Write;
use std::process::ChildStdin;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::interop::seen;
use crate::interop::stage;
use orden_kit::clock::pause;
use orden_kit::programs::broker::Broker;
use orden_kit::random::Random;

const LINES: u64 = 10_000;
const KILLS: usize = 8;
/// Lines that are there beyond the one at which the client is killed.
const MORE: u64 = 1_000;

fn lines(count: u64) -> Vec<String> {
    (1..=count).map(|number| format!("line {number}")).collect()
}

fn input(count: u64) -> String {
    lines(count).join("\n")
}

/// Writes so much of the input, slowly enough that a kill meets a client at work, and then
/// nothing more until the client is gone: however late the kill, it is not through.
fn feed(mut pipe: ChildStdin, lines: u64, gone: &Receiver<()>) {
    for part in input(lines).as_bytes().chunks(1024) {
        if pipe.write_all(part).is_err() {
            return;
        }
        pause(Duration::from_millis(4));
    }
    gone.recv().expect_err("nothing is ever said");
}

#[test]
fn a_client_that_is_killed_again_and_again_loses_no_line() {
    let (_, mut random) = Random::from_environment();
    let broker = Broker::start(&[]);
    let mut moments: Vec<_> = (0..KILLS)
        .map(|_| 1 + random.below(LINES - 2 * MORE))
        .collect();
    moments.sort_unstable();
    stage::client(&broker, "ana", "--resume --new-session").finish();
    for moment in moments {
        let mut ana = stage::client(&broker, "ana", "--resume");
        let pipe = ana.take_input();
        let (alive, gone) = channel();
        let feeder = std::thread::spawn(move || feed(pipe, moment + MORE, &gone));
        broker.await_status("a line", |status| status.next > moment);
        pause(Duration::from_micros(random.below(20_000)));
        ana.kill();
        drop(alive);
        feeder.join().expect("it only writes");
        assert!(broker.status().next < LINES, "it was through already");
    }

    let mut ana = stage::client(&broker, "ana", "--resume");
    let mut pipe = ana.take_input();
    pipe.write_all(input(LINES).as_bytes()).expect("it reads");
    drop(pipe);
    ana.finish();
    let order = stage::the_log(&broker);
    seen::is_dense(&order);
    let said: Vec<_> = lines(LINES)
        .iter()
        .map(|line| format!("ana: {line}"))
        .collect();
    seen::holds(&order, "ana", &said);
}
