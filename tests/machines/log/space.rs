//! A full disk: what fits is still written, nothing is torn, and it goes on by itself when there
//! is space again.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use orden::core::{Index, Write};
use orden::store::{self, Error, Failure, Log, Opened, Options, Run};

use crate::log::batches::{
    self, IDENTITY, Shortly as _, assert_messages, chunk_of, options, read_all,
};
use orden_kit::simulated_disk::{Leaves, SimulatedDisk};

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

/// Opens the log of a disk.
fn open(disk: &SimulatedDisk) -> Opened {
    store::open_on(disk.medium(), &options(4096), Run::Inline, IDENTITY).unwrap()
}

#[test]
fn starts_and_closes_on_a_full_disk_need_no_room() {
    // The last batch ends at different places within its sector.
    for length in 0..80 {
        let disk = SimulatedDisk::new();
        let mut log = open(&disk).log;
        disk.limit_space(Some(4096));
        log.put(Write::Messages(batches::chunk(0, &[length], 1)))
            .unwrap();
        log.commit().unwrap();
        let full = write_until_full(&mut *log, 1);
        let mut disk = disk;
        for round in 0..12 {
            if round % 3 == 0 {
                log.close().unwrap();
            } else {
                drop(log);
                // A power cut leaves what was synced, and any part of the mark that was not.
                disk = disk.after_power_cut(Leaves::Some(round));
                disk.limit_space(Some(4096));
            }
            let opened = open(&disk);
            assert_eq!(opened.recovered.next.0, full);
            // Each start has an epoch of its own, however little room there is for it.
            assert_eq!(u64::from(opened.recovered.epoch.0), round + 1);
            log = opened.log;
            assert_messages(&read_all(&mut *log.reader(), 0).unwrap(), 0, full);
        }
        disk.limit_space(None);
        assert!(write_until_full_or(&mut *log, full, full + 20) > full);
    }
}

/// Writes messages from `next` up to `end`, or until there is no space.
fn write_until_full_or(log: &mut dyn Log, next: u64, end: u64) -> u64 {
    for order in next..end {
        batches::write(log, &batches::chunk(order, &[100], 1), 1);
    }
    end
}

#[test]
fn space_that_was_promised_and_is_not_there_is_waited_for() {
    let disk = SimulatedDisk::new();
    let mut log = open(&disk).log;
    batches::write(&mut *log, &batches::chunk(0, &[100, 100], 1), 1);
    disk.starve(true);
    let write = Write::Messages(batches::chunk(2, &[100], 1));
    for _ in 0..3 {
        let refused = log.append(Index(7), &write);
        assert!(matches!(refused, Err(Failure::Passing(_))), "{refused:?}");
        log.commit().unwrap();
        assert_messages(&read_all(&mut *log.reader(), 0).unwrap(), 0, 2);
    }
    disk.starve(false);
    log.append(Index(7), &write).unwrap();
    log.commit().unwrap();
    assert_eq!(log.committed(), Index(7));
    // The mark of a commit may find no space: what is committed stays so.
    log.put(Write::Messages(batches::chunk(3, &[100], 1)))
        .unwrap();
    disk.starve(true);
    log.commit().unwrap();
    assert_messages(&read_all(&mut *log.reader(), 0).unwrap(), 0, 4);
    log.close().unwrap();
    disk.starve(false);
    assert_eq!(open(&disk).recovered.next.0, 4);
}

#[test]
fn a_log_opens_where_nothing_can_be_written_and_goes_on_later() {
    let disk = SimulatedDisk::new();
    let mut log = open(&disk).log;
    batches::write(&mut *log, &batches::chunk(0, &[100, 100], 1), 1);
    log.close().unwrap();
    disk.starve(true);
    for _ in 0..3 {
        let opened = open(&disk);
        assert_eq!((opened.recovered.next.0, opened.recovered.epoch.0), (2, 1));
        opened.log.close().unwrap();
    }
    let opened = open(&disk);
    let mut log = opened.log;
    assert_messages(&read_all(&mut *log.reader(), 0).unwrap(), 0, 2);
    let write = Write::Messages(batches::chunk(2, &[100], 2));
    let refused = log.append(Index(1), &write);
    assert!(matches!(refused, Err(Failure::Passing(_))), "{refused:?}");
    let room = log.make_room(500, &mut || unreachable!()).unwrap();
    assert_eq!(room.bytes, 0);
    assert!(room.shortage.is_some());
    disk.starve(false);
    log.append(Index(1), &write).unwrap();
    log.commit().unwrap();
    drop(log);
    let opened = open(&disk);
    // The starts that wrote nothing shared an epoch; the one that wrote has its own.
    assert_eq!((opened.recovered.next.0, opened.recovered.epoch.0), (3, 2));
}

#[test]
fn a_segment_whose_head_finds_no_space_is_made_anew() {
    let disk = SimulatedDisk::new();
    let mut log = open(&disk).log;
    let mut next = 0;
    // Until the next one is ready and due.
    while !disk.files().contains_key("next.filling") {
        batches::write(&mut *log, &batches::chunk(next, &[300], 1), 1);
        next += 1;
    }
    disk.starve(true);
    let mut checkpoint = || batches::snapshot(IDENTITY.log_id, next, 1, batches::session(0, 0));
    let room = log.make_room(3000, &mut checkpoint).unwrap();
    assert!(room.shortage.is_some());
    disk.starve(false);
    for order in next..next + 20 {
        batches::write(&mut *log, &batches::chunk(order, &[300], 1), 1);
    }
    log.close().unwrap();
    let report = store::check_on(&*disk.medium()).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    let opened = open(&disk);
    assert_messages(
        &read_all(&mut *opened.log.reader(), 0).unwrap(),
        0,
        next + 20,
    );
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
