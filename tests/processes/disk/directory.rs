//! What befalls the directory from outside: it is taken away, still another's, or limited.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

use super::{Publisher, SMALL, segments, start};
use orden_kit::disk_faults::DiskFaults;
use orden_kit::programs::Program;
use orden_kit::programs::broker::{self, Broker};
use tempfile::TempDir;

fn move_away(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap();
}

#[test]
fn a_directory_that_is_taken_away_is_noticed_before_anything_is_confirmed() {
    for take_away in [move_away, |from: &Path, _: &Path| {
        fs::remove_dir_all(from).unwrap();
    }] {
        let parent = TempDir::new().unwrap();
        let data = parent.path().join("data");
        let faults = DiskFaults::new();
        let broker = start(&faults, &["--data", data.to_str().unwrap()]);
        let ana = Publisher::connect(&broker);
        ana.publish();
        ana.flush();
        take_away(&data, &parent.path().join("elsewhere"));
        ana.publish();
        let (end, _) = broker.end();
        assert_eq!(end.code(), Some(3), "{}", end.complaint);
        let line = format!("{} is no longer", data.display());
        assert!(end.complaint.contains(&line), "{}", end.complaint);
        assert_eq!(ana.confirmed(), 1);
    }
}

#[test]
fn a_broker_waits_while_another_one_is_ending() {
    let data = TempDir::new().unwrap();
    let lock = File::create(data.path().join("LOCK")).unwrap();
    lock.lock().unwrap();
    let flags = ["--data", data.path().to_str().unwrap()];
    let mut command = broker::command();
    command.args(["--address", "127.0.0.1:0"]).args(flags);
    let program = Program::start("orden-broker", &mut command);
    program.complaint(0, "another broker");
    drop(lock);
    assert!(program.line().starts_with("listening on "));
    // Who does not end is not waited for.
    let end = broker::run(command.args(["--log-level", "off"]));
    assert_eq!(end.code(), Some(3), "{}", end.complaint);
    assert!(
        end.complaint.contains("in use by another broker"),
        "{}",
        end.complaint
    );
}

#[test]
fn a_lock_file_that_is_removed_lets_no_second_broker_in() {
    let first = Broker::start(&[]);
    std::fs::remove_file(first.data().join("LOCK")).unwrap();
    let mut second = broker::command();
    second.args(["--address", "127.0.0.1:0", "--data"]);
    let end = broker::run(second.arg(first.data()));
    assert_eq!(end.code(), Some(3), "{}", end.complaint);
    assert!(
        end.complaint.contains("in use by another broker"),
        "{}",
        end.complaint
    );
}

#[test]
fn a_file_size_limit_is_told_at_the_start() {
    let data = TempDir::new().unwrap();
    let limited = format!(
        "ulimit -f 1024; exec {} --address 127.0.0.1:0 --data {}",
        broker::command().get_program().display(),
        data.path().join("log").display()
    );
    let end = Program::start("sh", Command::new("sh").args(["-c", &limited])).end();
    assert_eq!(end.code(), Some(3), "{}", end.complaint);
    assert!(end.complaint.contains("file size"), "{}", end.complaint);
}

#[test]
fn a_file_size_limit_that_comes_later_ends_it_with_a_line() {
    let broker = Broker::start(SMALL);
    let ana = Publisher::connect(&broker);
    ana.publish();
    ana.flush();
    let limit = Rlimit {
        current: Some(1 << 20),
        ..getrlimit(Resource::Fsize)
    };
    prlimit(Some(broker.program().pid()), Resource::Fsize, limit).unwrap();
    while segments(&broker).len() == 1 && ana.client.flush(std::time::Duration::ZERO).is_ok() {
        ana.publish();
        ana.client.flush(std::time::Duration::from_secs(5)).ok();
    }
    let (end, stopped) = broker.end();
    assert_eq!(end.code(), Some(3), "{}", end.complaint);
    assert!(
        end.complaint.contains("File too large"),
        "{}",
        end.complaint
    );
    super::assert_nothing_lost(stopped, ana.confirmed());
}
