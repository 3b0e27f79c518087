//! A full disk, also one that has less room than was promised: new messages are refused, members
//! served, and it goes on by itself once there is space.

use super::{Publisher, assert_nothing_lost, read_all, start};
use orden_kit::disk_faults::DiskFaults;
use orden_kit::programs::broker;
use tempfile::TempDir;

const FULL: &str = "write * * space 0 always";

#[test]
fn a_broker_starts_on_a_full_disk_however_often() {
    let faults = DiskFaults::new();
    let mut broker = start(&faults, &[]);
    let ana = Publisher::connect(&broker);
    read_all(&broker, 0);
    faults.set(&[FULL]);
    // As many as fit.
    for _ in 0..200 {
        ana.publish();
    }
    broker.await_refused("no_space", 1);
    let confirmed = ana.confirmed();
    assert!(confirmed > 10);
    for round in 0..12 {
        broker = if round % 2 == 0 {
            broker.kill().start()
        } else {
            let (end, stopped) = broker.stop();
            assert_eq!(end.code(), Some(0), "{}", end.complaint);
            stopped.start()
        };
        read_all(&broker, confirmed);
    }
    faults.lift();
    ana.flush();
    assert_nothing_lost(broker.kill(), ana.confirmed());
}

#[test]
fn space_that_was_promised_and_is_not_there_is_waited_for() {
    let faults = DiskFaults::new();
    let original = start(&faults, &[]);
    let ana = Publisher::connect(&original);
    for _ in 0..5 {
        ana.publish();
    }
    ana.flush();
    read_all(&original, 5);
    // What lies behind the end is a hole in a copy.
    let parent = TempDir::new().unwrap();
    let copy = parent.path().join("copy");
    let mut command = broker::command();
    command
        .args(["log", "backup"])
        .arg(original.data())
        .arg(&copy);
    let end = broker::run(&mut command);
    assert!(end.success(), "{}", end.complaint);
    drop((original, ana));

    faults.set(&[FULL]);
    let broker = start(&faults, &["--data", copy.to_str().unwrap()]);
    read_all(&broker, 5);
    let mut ana = Publisher::connect(&broker);
    ana.published = 5.into();
    for _ in 0..10 {
        ana.publish();
    }
    // What came at once may have been taken in before the first write has failed.
    faults.await_given(FULL);
    for _ in 0..10 {
        ana.publish();
    }
    broker.await_refused("no_space", 1);
    faults.lift();
    ana.flush();
    read_all(&broker, 25);
    let (end, _) = broker.stop();
    assert_eq!(end.code(), Some(0), "{}", end.complaint);
}
