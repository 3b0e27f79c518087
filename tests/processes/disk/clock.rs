//! Age is counted in time that has passed, whatever the wall clock says meanwhile.

use super::{Publisher, read_all, segments, start};
use orden_kit::disk_faults::DiskFaults;

#[test]
fn a_clock_that_is_ahead_for_a_while_deletes_nothing() {
    let faults = DiskFaults::new();
    let broker = start(&faults, &["--retain-age", "3600"]);
    let ana = Publisher::connect(&broker);
    ana.publish_until(|| segments(&broker).len() == 3);
    faults.set(&["clock * * ahead 7200 always"]);
    ana.publish_until(|| segments(&broker).len() >= 5);
    faults.lift();
    ana.publish_until(|| segments(&broker).len() >= 6);
    read_all(&broker, ana.published.into_inner());
}

#[test]
fn what_is_old_goes_after_a_restart() {
    let faults = DiskFaults::new();
    let broker = start(&faults, &["--retain-age", "3600"]);
    let ana = Publisher::connect(&broker);
    ana.publish_until(|| segments(&broker).len() == 3);
    let stopped = broker.kill();
    faults.set(&["clock * * ahead 7200 always"]);
    let broker = stopped.start();
    ana.publish_until(|| segments(&broker)[0].starts_with("00000000000000000003"));
}
