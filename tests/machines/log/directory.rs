//! The log in a directory: what is written is read again, in this run and in the next.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::log::batches::{
    self, Shortly as _, assert_messages, chunk, last_sequence, read_all, write,
};
use orden::core::Write;
use orden::store::{self, Error, MemoryOptions, Opened, Options};
use orden::wire::batch::Kind;
use orden::wire::{Epoch, LogId, OrderNumber};

const SEGMENT: u64 = 8192;

fn options(directory: &Path) -> Options {
    Options {
        segment_bytes: SEGMENT,
        ..Options::new(directory)
    }
}

fn open(options: &Options) -> Opened {
    store::open(options).unwrap()
}

/// Writes messages from `first` up to `next`, one a batch.
fn fill(log: &mut dyn store::Log, first: u64, next: u64) {
    for order in first..next {
        let chunk = messages(log, order, 1);
        write(log, &chunk, 1);
    }
}

fn messages(log: &dyn store::Log, first: u64, count: usize) -> orden::core::Chunk {
    batches::chunk_of(log.log_id(), first, &vec![300; count], 1)
}

fn segments(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".segment"))
        .collect();
    names.sort();
    names
}

#[test]
fn what_was_written_is_read_in_this_run_and_in_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(directory.path());
    let Opened {
        mut log, recovered, ..
    } = open(&options);
    assert_eq!(recovered.epoch, Epoch(0));
    assert_eq!(recovered.next, OrderNumber(0));
    assert_ne!(recovered.log_id, LogId(0));
    fill(&mut *log, 0, 100);
    assert!(segments(directory.path()).len() > 3);
    let mut reader = log.reader();
    assert_messages(&read_all(&mut *reader, 0).unwrap(), 0, 100);
    assert_messages(&read_all(&mut *reader, 77).unwrap(), 77, 100);
    log.close().unwrap();

    let mut reopened = open(&options);
    assert_eq!(reopened.recovered.log_id, recovered.log_id);
    assert_eq!(reopened.recovered.epoch, Epoch(1));
    assert_eq!(reopened.recovered.next, OrderNumber(100));
    assert_eq!(reopened.recovered.oldest, OrderNumber(0));
    assert_eq!(last_sequence(&reopened.recovered), 100);
    assert_eq!(reopened.repair, None);
    fill(&mut *reopened.log, 100, 120);
    let mut reader = reopened.log.reader();
    for from in [0, 1, 50, 99, 100, 119, 120] {
        assert_messages(&read_all(&mut *reader, from).unwrap(), from, 120);
    }
    assert!(matches!(reader.read(OrderNumber(121)), Err(Error::Beyond(next)) if next.0 == 120));
}

#[test]
fn messages_are_seen_after_the_sync_and_not_before() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(&options(directory.path())).log;
    let mut reader = log.reader();
    let first = messages(&*log, 0, 3);
    log.put(Write::Messages(first)).unwrap();
    assert!(matches!(reader.read(OrderNumber(0)), Err(Error::Beyond(next)) if next.0 == 0));
    log.commit().unwrap();
    assert_messages(&read_all(&mut *reader, 0).unwrap(), 0, 3);
    // Unless the broker was told to tell of messages before they are safe.
    let more = messages(&*log, 3, 2);
    log.put(Write::Messages(more)).unwrap();
    log.expose().unwrap();
    assert_messages(&read_all(&mut *reader, 0).unwrap(), 0, 5);
}

#[test]
fn session_changes_lie_between_messages_and_do_not_show() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(directory.path());
    let mut log = open(&options).log;
    let entries = [batches::session(0, 0)];
    for order in 0..10 {
        let bytes = batches::sessions_of(log.log_id(), Kind::Sessions, order, 1, &entries);
        if order == 0 {
            log.put(Write::Sessions(bytes)).unwrap();
        }
        let message = messages(&*log, order, 1);
        log.put(Write::Messages(message)).unwrap();
        let entries = [batches::session(order, order + 1)];
        let bytes = batches::sessions_of(log.log_id(), Kind::Sessions, order + 1, 1, &entries);
        log.put(Write::Sessions(bytes)).unwrap();
    }
    log.commit().unwrap();
    let chunk = log.reader().read(OrderNumber(4)).unwrap();
    assert_eq!(
        (chunk.first(), chunk.end()),
        (OrderNumber(0), OrderNumber(10))
    );
    assert_messages(&read_all(&mut *log.reader(), 0).unwrap(), 0, 10);
    drop(log);
    assert_eq!(last_sequence(&open(&options).recovered), 10);
}

#[test]
fn every_start_has_an_epoch_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    for epoch in 0..5 {
        assert_eq!(
            open(&options(directory.path())).recovered.epoch,
            Epoch(epoch)
        );
    }
}

#[test]
fn a_second_broker_is_refused_until_the_first_has_gone() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(&options(directory.path()));
    let reader = first.log.reader();
    let refused = store::open(&options(directory.path())).err().unwrap();
    assert!(matches!(refused, Error::InUse(_)), "{refused}");
    assert!(!refused.is_damage());
    drop(first);
    // A reader that is still around holds nothing up.
    drop(open(&options(directory.path())));
    drop(reader);
}

#[test]
fn s16_only_the_owner_can_read() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("made/on/the/way");
    let mut log = open(&options(&directory)).log;
    fill(&mut *log, 0, 50);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let mut files = 0;
    for entry in fs::read_dir(&directory).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
        files += 1;
    }
    assert!(files > 2);
}

#[test]
fn what_no_limit_wants_any_longer_goes_by_whole_segments() {
    let limits: [fn(&mut Options); 2] = [
        |options| options.retain_messages = Some(40),
        |options| options.retain_bytes = Some(2 * SEGMENT),
    ];
    for limit in limits {
        let directory = tempfile::tempdir().unwrap();
        let mut options = options(directory.path());
        limit(&mut options);
        let mut log = open(&options).log;
        let mut reader = log.reader();
        fill(&mut *log, 0, 30);
        assert_eq!(log.oldest(), OrderNumber(0));
        fill(&mut *log, 30, 200);
        let oldest = log.oldest().0;
        assert!((100..=160).contains(&oldest), "oldest is {oldest}");
        assert!(matches!(reader.read(OrderNumber(3)), Err(Error::Trimmed(at)) if at.0 == oldest));
        assert_messages(&read_all(&mut *reader, oldest).unwrap(), oldest, 200);
        log.close().unwrap();
        assert!(segments(directory.path()).len() <= 4);
        assert_eq!(open(&options).recovered.oldest, OrderNumber(oldest));
    }
}

#[test]
fn a_stretch_is_cut_at_the_same_places_for_all() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 2 << 20,
        ..Options::new(directory.path())
    };
    let mut log = open(&options).log;
    for first in (0..6000).step_by(10) {
        let chunk = messages(&*log, first, 10);
        write(&mut *log, &chunk, 1);
    }
    let stretches = |log: &dyn store::Log, step: usize| {
        let mut found = Vec::new();
        for from in (0..6000).step_by(step) {
            let chunk = log.reader().read(OrderNumber(from)).unwrap();
            assert!(chunk.bytes().len() < (256 << 10) + 8192);
            found.push((chunk.first(), chunk.end()));
        }
        found.dedup();
        found
    };
    let cut = stretches(&*log, 100);
    assert!(cut.len() > 5);
    assert!(cut.windows(2).all(|pair| pair[0].1 == pair[1].0));
    assert_eq!(stretches(&*log, 30), cut);
    log.close().unwrap();
    // The index is rebuilt when it is needed, and is the same.
    assert_eq!(stretches(&*open(&options).log, 60), cut);
}

#[test]
fn the_log_in_memory_keeps_what_fits() {
    let options = MemoryOptions {
        retain_bytes: 1 << 20,
        behind_bytes: 1 << 30,
    };
    let Opened { mut log, .. } = store::memory(batches::IDENTITY, options);
    let mut reader = log.reader();
    log.put(Write::Messages(chunk(0, &[300; 10], 1))).unwrap();
    assert!(matches!(reader.read(OrderNumber(0)), Err(Error::Beyond(next)) if next.0 == 0));
    log.commit().unwrap();
    for first in (10..6000).step_by(10) {
        log.put(Write::Messages(chunk(first, &[300; 10], 1)))
            .unwrap();
        log.commit().unwrap();
        log.let_go(&mut || OrderNumber(u64::MAX));
    }
    let oldest = log.oldest().0;
    let kept = (6000 - oldest) * 350;
    assert!(
        (1 << 20) - 10_000 < kept && kept < (1 << 20) + 10_000,
        "{kept}"
    );
    assert!(matches!(reader.read(OrderNumber(10)), Err(Error::Trimmed(at)) if at.0 == oldest));
    assert_messages(&read_all(&mut *reader, oldest).unwrap(), oldest, 6000);
    let one = log.reader().read(OrderNumber(5000)).unwrap();
    let other = log.reader().read(one.end()).unwrap();
    assert_eq!(log.reader().read(one.first()).unwrap().end(), other.first());
}
