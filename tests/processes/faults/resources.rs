//! What runs out: the disk, the descriptors; and many who come at once.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::faults::stage::{Cast, HEALED, Stage};
use orden_kit::clock::{pause, until};

/// A small disk of its own, if we may have one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, mebibytes: u64) -> Option<Self> {
        fs::create_dir_all(at).expect("a directory");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "none"])
            .arg(at)
            .status();
        let may = mounted.is_ok_and(|status| status.success());
        may.then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

/// Takes all the space there is.
fn fill(path: &Path) {
    let mut file = File::create(path).expect("a file");
    let block = [0; 4096];
    while file.write_all(&block).is_ok() {}
}

/// A full disk refuses what is published, for as long as it is full; what was ordered goes on to
/// be delivered, and nobody has to start anything again.
#[test]
fn the_disk_is_full() {
    let directory = tempfile::tempdir().expect("a directory");
    let disk = directory.path().join("log");
    let Some(_disk) = SmallDisk::mount(&disk, 40) else {
        println!("skipped: a small disk can only be had with the right to mount one");
        return;
    };
    let small = "--ping-after 1 --away-after 3 --segment-bytes 6291456 --max-message-bytes 70000";
    let cast = Cast {
        flags: small.to_owned(),
        bytes: 8_000,
        every: Duration::from_millis(5),
        ..Cast::default()
    };
    let data = disk.join("data");
    let mut stage = Stage::set_on(cast, directory, &data);
    let filler = disk.join("filler");
    for _ in 0..2 {
        stage.fault("F18 the disk is full", |stage| {
            fill(&filler);
            let refused = "no room in the log";
            let said = |stage: &Stage| stage.broker_says().matches(refused).count();
            let before = said(stage);
            let full = until(HEALED, || said(stage) > before);
            assert!(
                full,
                "seed {}: the disk never was full: {}",
                stage.seed,
                stage.broker_says()
            );
            pause(Duration::from_secs(1));
            assert!(stage.broker().is_alive(), "a full disk is no end");
            // It was said before it bit.
            assert!(stage.broker_says().contains("room for "));
            fs::remove_file(&filler).expect("it is there");
        });
    }
    stage.finish();
}

/// With no descriptor left nobody new gets in; who is in stays in, and new ones get in once
/// there is room again.
#[test]
fn descriptors_run_out() {
    let mut stage = Stage::set(Cast::default());
    for _ in 0..2 {
        stage.fault("F19 descriptors run out", |stage| {
            let used = stage.broker().usage().descriptors;
            stage.broker().limit_descriptors(used + 8);
            let address = stage.broker().socket_address();
            let silent: Vec<_> = (0..40).map(|_| TcpStream::connect(address)).collect();
            pause(Duration::from_secs(1));
            let before: u64 = stage
                .crowd
                .positions()
                .values()
                .map(|one| one.confirmed)
                .sum();
            let goes_on = until(HEALED, || {
                let now = stage.crowd.positions();
                now.values().map(|one| one.confirmed).sum::<u64>() > before + 100
            });
            assert!(goes_on, "seed {}: members that are in wait", stage.seed);
            stage.proxies[0].reset();
            pause(Duration::from_secs(2));
            drop(silent);
            stage.broker().limit_descriptors(1000);
        });
    }
    stage.finish();
}

/// Everybody is sent away at once, and everybody comes back at once.
#[test]
fn everybody_comes_at_once() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, most).expect("what we may have");
    let mut stage = Stage::set(Cast {
        natives: 80,
        every: Duration::from_millis(500),
        ..Cast::default()
    });
    for _ in 0..3 {
        stage.fault("F31 everybody comes back at once", |stage| {
            stage.kill_broker();
        });
    }
    stage.finish();
}
