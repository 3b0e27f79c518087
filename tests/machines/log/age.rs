//! How old a segment is: by time that has passed, which the disk counts here, a second for each
//! of its operations; not by a wall clock that jumps.

use std::time::Duration;

use orden::core::{OpenBatch, Write};
use orden::store::{self, Log, Options, Run};
use orden::wire::record::{Flags, Record};
use orden::wire::{ClientSequence, Epoch, OrderNumber};

use crate::log::batches::{self, IDENTITY, SENDER, Shortly as _};
use orden_kit::simulated_disk::SimulatedDisk;

/// What an hour is here: so many operations of the disk.
const HOUR: Duration = Duration::from_mins(1);
/// Microseconds since 1970 when a test begins.
const WALL: u64 = 1_700_000_000_000_000;

fn open(disk: &SimulatedDisk) -> Box<dyn Log> {
    let options = Options {
        retain_age: Some(HOUR),
        ..batches::options(4096)
    };
    let opened = store::open_on(disk.medium(), &options, Run::Inline, IDENTITY);
    opened.unwrap().log
}

/// Writes message `order`, ordered at this time by the wall clock.
fn write(log: &mut dyn Log, order: u64, wall: u64) {
    let mut open = OpenBatch::new(OrderNumber(order));
    open.push(Record {
        order: OrderNumber(order),
        client_sequence: ClientSequence(order + 1),
        time: wall,
        flags: Flags::default(),
        sender: SENDER,
        payload: &[0; 700],
    });
    let chunk = open.seal(IDENTITY.log_id, Epoch(1)).unwrap();
    let entry = batches::session(order, order);
    let snapshot = || batches::snapshot(IDENTITY.log_id, order, 1, entry);
    log.fit(chunk.bytes().len(), snapshot).unwrap();
    log.put(Write::Messages(chunk)).unwrap();
    log.commit().unwrap();
}

/// The oldest message after each of many, whose times are these.
fn oldest(wall: impl Fn(u64) -> u64) -> Vec<u64> {
    let disk = SimulatedDisk::new();
    let mut log = open(&disk);
    let mut oldest = Vec::new();
    for order in 0..100 {
        let passed = u64::try_from(disk.medium().uptime().as_micros()).unwrap();
        write(&mut *log, order, wall(order) + passed);
        oldest.push(log.oldest().0);
    }
    oldest
}

#[test]
fn age_is_time_that_has_passed_whatever_the_wall_clock_says() {
    let steady = oldest(|_| WALL);
    assert_eq!(steady[..10], [0; 10]);
    assert!((50..95).contains(&steady[99]), "{steady:?}");
    let two_hours = 2 * 3_600_000_000;
    let ahead_for_a_while = |order| {
        WALL + if (20..40).contains(&order) {
            two_hours
        } else {
            0
        }
    };
    assert_eq!(oldest(ahead_for_a_while), steady);
    let ahead_from_then_on = |order| WALL + if order >= 20 { two_hours } else { 0 };
    assert_eq!(oldest(ahead_from_then_on), steady);
    let back = |order| WALL - if order >= 20 { two_hours } else { 0 };
    assert_eq!(oldest(back), steady);
}

#[test]
fn what_was_old_when_a_broker_starts_goes() {
    let disk = SimulatedDisk::new();
    let mut log = open(&disk);
    for order in 0..12 {
        write(&mut *log, order, WALL);
    }
    assert_eq!(log.oldest().0, 0);
    log.close().unwrap();
    let mut log = open(&disk);
    let much_later = WALL + 1_000_000_000;
    for order in 12..24 {
        write(&mut *log, order, much_later);
    }
    let oldest = log.oldest().0;
    assert!((8..=12).contains(&oldest), "{oldest}");
}
