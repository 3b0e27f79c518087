//! A full disk: what fits is still written, nothing is torn, and it goes on by itself when there
//! is space again.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use orden::core::Write;
use orden::store::{self, Error, Log, Opened, Options, Run};

use crate::log::batches::{
    self, IDENTITY, Shortly as _, assert_messages, chunk_of, options, read_all,
};
use orden_kit::simulated_disk::SimulatedDisk;

/// Writes messages from `next` until the log says that there is no space; gives the next one.
fn write_until_full(log: &mut dyn Log, mut next: u64) -> u64 {
    loop {
        let log_id = log.log_id();
        let chunk = chunk_of(log_id, next, &[700], 1);
        let entry = batches::session(next, next);
        let snapshot = || batches::snapshot(log_id, next, 1, entry);
        match log.fit(chunk.bytes().len(), snapshot) {
            Ok(()) => {}
            Err(Error::NoSpace(_)) => return next,
            Err(error) => panic!("{error}"),
        }
        log.put(Write::Messages(chunk)).unwrap();
        log.commit().unwrap();
        next += 1;
    }
}

#[test]
fn a_full_simulated_disk_refuses_and_recovers() {
    let disk = SimulatedDisk::new();
    // Two segments and a bit: the third cannot be made.
    disk.limit_space(Some(9000));
    let opened = store::open_on(disk.medium(), &options(4096), Run::Inline, IDENTITY);
    let mut log = opened.unwrap().log;
    let full = write_until_full(&mut *log, 0);
    assert!(full >= 5);
    // Members are served all the while, and what does fit is still written.
    assert_messages(&read_all(&mut *log.reader(), 0).unwrap(), 0, full);
    log.put(Write::Messages(batches::chunk(full, &[0], 1)))
        .unwrap();
    log.commit().unwrap();
    let room = |log: &mut dyn Log| {
        let snapshot = || batches::snapshot(IDENTITY.log_id, full + 1, 1, batches::session(0, 0));
        log.fit(700, snapshot)
    };
    assert!(matches!(room(&mut *log), Err(Error::NoSpace(_))));
    disk.limit_space(Some(14_000));
    room(&mut *log).unwrap();
    let more = write_until_full(&mut *log, full + 1);
    assert!(more > full + 2);
    log.close().unwrap();
    let reopened = store::open_on(disk.medium(), &options(4096), Run::Inline, IDENTITY);
    let Opened { log, recovered, .. } = reopened.unwrap();
    assert_eq!(recovered.next.0, more);
    assert_messages(&read_all(&mut *log.reader(), 0).unwrap(), 0, more);
}

#[test]
fn a_disk_too_full_to_begin_is_told_apart() {
    let disk = SimulatedDisk::new();
    disk.limit_space(Some(1000));
    let opened = store::open_on(disk.medium(), &options(4096), Run::Inline, IDENTITY);
    let error = opened.err().unwrap();
    assert!(matches!(error, Error::NoSpace(_)), "{error}");
    assert!(!error.is_damage());
}

/// A small file system in memory, while the test runs.
struct Mounted(tempfile::TempDir);

impl Mounted {
    /// `None` where this process may not mount.
    fn new(bytes: u64) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"]);
        let done = mount.arg(directory.path()).output().ok()?;
        done.status.success().then_some(Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let done = Command::new("umount").arg(self.0.path()).status();
        assert!(done.is_ok_and(|status| status.success()), "not unmounted");
    }
}

#[test]
fn a_full_file_system_refuses_and_goes_on_by_itself() {
    let Some(mounted) = Mounted::new(1 << 20) else {
        eprintln!("not tried: this needs the right to mount");
        return;
    };
    let options = Options {
        segment_bytes: 256 << 10,
        ..Options::new(mounted.path().join("log"))
    };
    let ballast = mounted.path().join("ballast");
    std::fs::write(&ballast, vec![1; 300 << 10]).unwrap();
    let mut log = store::open(&options).unwrap().log;
    let full = write_until_full(&mut *log, 0);
    assert!(full > 500, "{full}");
    assert_messages(&read_all(&mut *log.reader(), 0).unwrap(), 0, full);
    std::fs::remove_file(ballast).unwrap();
    // Nobody has to ask or to start anything again.
    let (_never, wait) = std::sync::mpsc::channel::<()>();
    let tries = (0..100).find(|_| {
        assert!(wait.recv_timeout(Duration::from_millis(100)).is_err());
        let entry = batches::session(full, full);
        let snapshot = || batches::snapshot(log.log_id(), full, 1, entry);
        let snapshot = snapshot();
        log.fit(700, || snapshot).is_ok()
    });
    assert!(tries.is_some(), "still no space");
    let more = write_until_full(&mut *log, full);
    assert!(more > full + 200);
    log.close().unwrap();
    let opened = store::open(&options).unwrap();
    assert_eq!(opened.recovered.next.0, more);
    assert_messages(&read_all(&mut *opened.log.reader(), 0).unwrap(), 0, more);
}
