//! Shortages that pass: descriptors and memory that are not to be had for a while.

use super::{Publisher, assert_nothing_lost, read_all, segments, start};
use orden_kit::disk_faults::{DiskFaults, EMFILE, ENFILE, ENOMEM};

#[test]
fn a_segment_that_cannot_be_opened_for_want_of_descriptors_is_tried_again() {
    for shortage in [EMFILE, ENFILE, ENOMEM] {
        let faults = DiskFaults::new();
        let broker = start(&faults, &[]);
        let ana = Publisher::connect(&broker);
        faults.set(&[&format!("open * next.filling errno {shortage} 3")]);
        ana.publish_until(|| segments(&broker).len() > 1);
        assert!(faults.given().len() >= 3);
        assert_nothing_lost(broker.kill(), ana.confirmed());
    }
}

#[test]
fn a_directory_that_cannot_be_opened_to_be_synced_is_tried_again() {
    let faults = DiskFaults::new();
    let broker = start(&faults, &["--retain-messages", "1"]);
    let ana = Publisher::connect(&broker);
    // Its files are open already, or are made with a name of their own.
    let directory = broker.data().file_name().unwrap().to_str().unwrap();
    faults.set(&[&format!("open * {directory} errno {EMFILE} turns")]);
    ana.publish_until(|| segments(&broker)[0].starts_with("00000000000000000003"));
    faults.lift();
    ana.publish();
    ana.flush();
    let (end, _) = broker.stop();
    assert_eq!(end.code(), Some(0), "{}", end.complaint);
}

#[test]
fn a_member_whose_read_has_failed_is_served_although_nobody_else_speaks() {
    for rule in [
        &format!("open loader .segment errno {EMFILE} 2"),
        "read loader .segment errno 5 once",
        "read loader .segment short 100 always",
        "read loader .segment errno 4 turns",
    ] {
        let faults = DiskFaults::new();
        let broker = start(&faults, &[]);
        let ana = Publisher::connect(&broker);
        ana.publish_until(|| segments(&broker).len() > 1);
        let confirmed = ana.confirmed();
        drop(ana);
        // Nothing of it is in memory.
        let broker = broker.kill().start();
        faults.set(&[rule]);
        read_all(&broker, confirmed);
        assert!(!faults.given().is_empty(), "{rule}");
    }
}
