//! A broker whose disk is slow sleeps meanwhile, whoever knocks.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::time::Duration;

use crate::durable_first::held_disk::HeldDisk;
use crate::durable_first::{A_WHILE, start};
use orden_kit::alone::is_alone;
use orden_kit::clock::pause;
use orden_kit::dealer::Dealer;
use orden_kit::poll;

/// `sysconf(_SC_CLK_TCK)`, which has this value everywhere.
const TICK: Duration = Duration::from_millis(10);
const MESSAGE_BYTES: usize = 60 << 10;

/// The dispatchers in this process.
fn dispatchers() -> BTreeSet<u32> {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let ids = threads.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let named = |id: &String| {
        let name = fs::read_to_string(format!("/proc/self/task/{id}/comm"));
        name.is_ok_and(|name| name.trim() == "dispatcher")
    };
    ids.filter(named).map(|id| id.parse().unwrap()).collect()
}

/// What a thread has used of a processor, and whether it sleeps.
fn used(thread: u32) -> (Duration, bool) {
    let stat = fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: u32 = [11, 12]
        .map(|at| fields[at].parse::<u32>().unwrap())
        .iter()
        .sum();
    (TICK * ticks, fields[0] == "S")
}

#[test]
fn a_broker_that_waits_for_its_disk_sleeps_whoever_connects() {
    // Brokers of other tests have dispatchers, too.
    let name = "a_broker_that_waits_for_its_disk_sleeps_whoever_connects";
    if !is_alone(module_path!(), name) {
        return;
    }
    let before = dispatchers();
    let disk = HeldDisk::default();
    let broker = start(&disk);
    let endpoint = broker.endpoints()[0].clone();
    let mut dealer = Dealer::connect(&endpoint, "ana");
    dealer.say("here");
    dealer.next();
    let new = &dispatchers() - &before;
    assert!(!new.is_empty(), "a thread of another name");
    disk.hold();
    // More than the channel between dispatcher and sequencer holds.
    let message = "x".repeat(MESSAGE_BYTES);
    for _ in 0..300 {
        dealer.say(&message);
    }
    for &thread in &new {
        poll(|| used(thread).1.then_some(()), "the dispatcher to sleep");
    }
    let _new = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
    let spent = || new.iter().map(|&thread| used(thread).0).sum::<Duration>();
    let before = spent();
    pause(A_WHILE);
    let spent = spent().saturating_sub(before);
    disk.release();
    broker.stopper().stop();
    broker.wait().unwrap();
    assert!(spent < A_WHILE / 3, "{spent:?} of {A_WHILE:?}");
}
