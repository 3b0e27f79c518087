//! Errors that do not pass: wherever they come, nothing more is confirmed, and the broker ends
//! with a line that names the file.

use std::time::Duration;

use super::{Publisher, assert_nothing_lost, start};
use orden_kit::disk_faults::DiskFaults;

/// What was on its way at the error has come to its end.
const A_WHILE: Duration = Duration::from_millis(300);

/// Starts, fills a segment, gives the fault while the next is begun, and publishes one more.
#[track_caller]
fn an_error_at_a_roll_ends_it(rules: &[&str], flags: &[&str]) {
    let faults = DiskFaults::new();
    let broker = start(&faults, flags);
    let ana = Publisher::connect(&broker);
    // Once it is ready, what comes next beside the messages is what the roll leaves to do.
    ana.publish_until(|| broker.data().join("next.filling").exists());
    let ready = broker.data().join("next.filling");
    orden_kit::poll(
        || (std::fs::metadata(&ready).ok()?.len() > 8 << 20).then_some(()),
        "the next segment",
    );
    faults.set(rules);
    let error = rules.last().unwrap();
    let is_given = || faults.given().iter().any(|note| note.contains(error));
    while !is_given() {
        ana.publish();
        // What was on its way when the error came may be confirmed, or not.
        orden_kit::poll(
            || (is_given() || ana.client.unconfirmed().is_none()).then_some(()),
            "an answer, or the error",
        );
    }
    orden_kit::clock::pause(A_WHILE);
    let confirmed = ana.confirmed();
    ana.publish();
    let (end, stopped) = broker.end();
    assert_eq!(end.code(), Some(3), "{error}: {}", end.complaint);
    assert!(
        end.complaint.contains("Input/output error"),
        "{}",
        end.complaint
    );
    assert_eq!(ana.confirmed(), confirmed, "confirmed after {error}");
    faults.lift();
    assert_nothing_lost(stopped, confirmed);
}

#[test]
fn an_error_while_a_full_segment_is_sealed() {
    an_error_at_a_roll_ends_it(&["sync !sequencer .segment errno 5 once"], &[]);
}

#[test]
fn an_error_while_a_full_segment_is_marked() {
    an_error_at_a_roll_ends_it(&["write !sequencer .segment errno 5 once"], &[]);
}

#[test]
fn an_error_that_comes_late_is_not_forgotten() {
    let late = [
        "sync !sequencer .segment delay 1500 always",
        "sync !sequencer .segment errno 5 once",
    ];
    an_error_at_a_roll_ends_it(&late, &[]);
}

#[test]
fn an_error_while_an_old_segment_is_removed() {
    let flags = ["--retain-messages", "1"];
    an_error_at_a_roll_ends_it(&["remove * .segment errno 5 once"], &flags);
}

#[test]
fn an_error_of_the_last_sync_is_told_by_the_exit_code() {
    let faults = DiskFaults::new();
    let broker = start(&faults, &[]);
    let ana = Publisher::connect(&broker);
    ana.publish();
    ana.flush();
    faults.set(&["sync * .segment errno 5 always"]);
    let (end, stopped) = broker.stop();
    assert_eq!(end.code(), Some(3), "{}", end.complaint);
    faults.lift();
    assert_nothing_lost(stopped, 1);
}
