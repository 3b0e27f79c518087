//! A log looked at from outside, and read by others, while a broker writes to it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use orden::core::Write;
use orden::store::{self, Ending, Options};
use orden::wire::OrderNumber;

use crate::log::batches::{self, Shortly as _, chunk_of, payload, read_all};

const SEGMENT: u64 = 64 << 10;

/// Writes messages in groups of different sizes.
fn write(log: &mut dyn store::Log, first: u64, next: u64) {
    let log_id = log.log_id();
    let mut at = first;
    while at < next {
        let lengths = vec![(at % 900) as usize; (1 + at % 5).min(next - at) as usize];
        let chunk = chunk_of(log_id, at, &lengths, 1);
        let snapshot = || batches::snapshot(log_id, at, 1, batches::session(at, at));
        log.fit(chunk.bytes().len(), snapshot).unwrap();
        at = chunk.end().0;
        log.put(Write::Messages(chunk)).unwrap();
        log.commit().unwrap();
    }
}

#[test]
fn a_check_counts_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: SEGMENT,
        ..Options::new(directory.path())
    };
    let mut log = store::open(&options).unwrap().log;
    write(&mut *log, 0, 1000);
    let report = store::check(directory.path()).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert_eq!(report.log_id, Some(log.log_id()));
    assert_eq!(report.segments.last().unwrap().ending, Ending::Open);
    log.close().unwrap();
    let report = store::check(directory.path()).unwrap();
    let (last, full) = report.segments.split_last().unwrap();
    assert!(full.len() >= 5);
    assert!(
        full.iter()
            .all(|segment| segment.ending == Ending::Continued)
    );
    assert_eq!((last.ending, last.end), (Ending::Closed, OrderNumber(1000)));
    assert!(
        report
            .segments
            .windows(2)
            .all(|pair| pair[0].end == pair[1].first)
    );
    assert!(
        full.iter()
            .all(|segment| segment.bytes <= SEGMENT && segment.batches > 1)
    );
    // From the second on, the snapshot knows the sender.
    let members: Vec<_> = report
        .segments
        .iter()
        .map(|segment| segment.members)
        .collect();
    assert_eq!(members[..2], [0, 1]);
}

#[test]
fn a_dump_begins_where_it_is_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: SEGMENT,
        retain_messages: Some(500),
        ..Options::new(directory.path())
    };
    let mut log = store::open(&options).unwrap().log;
    write(&mut *log, 0, 1000);
    let oldest = log.oldest();
    log.close().unwrap();
    for from in [oldest.0, oldest.0 + 1, 700, 999, 1000, 5000] {
        let dump = store::dump(directory.path(), OrderNumber(from)).unwrap();
        let chunks: Vec<_> = dump.map(Result::unwrap).collect();
        let Some(first) = chunks.first() else {
            assert!(from >= 1000);
            continue;
        };
        assert!(first.first().0 <= from && from < first.end().0);
        assert!(
            chunks
                .windows(2)
                .all(|pair| pair[0].end() == pair[1].first())
        );
        assert_eq!(chunks.last().unwrap().end(), OrderNumber(1000));
    }
    let first = store::dump(directory.path(), None).unwrap().next();
    assert_eq!(first.unwrap().unwrap().first(), oldest);
    let trimmed = store::dump(directory.path(), OrderNumber(0)).err().unwrap();
    assert!(matches!(trimmed, store::Error::Trimmed(at) if at == oldest));
}

#[test]
fn checks_dumps_and_readers_run_beside_a_writer() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: SEGMENT,
        retain_bytes: Some(4 * SEGMENT),
        ..Options::new(directory.path())
    };
    let mut log = store::open(&options).unwrap().log;
    write(&mut *log, 0, 10);
    let done = AtomicBool::new(false);
    let mut readers: Vec<_> = (0..2).map(|_| log.reader()).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let report = store::check(directory.path()).unwrap();
                assert!(report.problems.is_empty(), "{:?}", report.problems);
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // Whatever is let go meanwhile, it goes on to where the log ended.
                let mut next = None;
                for chunk in store::dump(directory.path(), None).unwrap() {
                    let chunk = chunk.unwrap();
                    assert_eq!(*next.get_or_insert(chunk.first()), chunk.first());
                    next = Some(chunk.end());
                    for record in chunk.records() {
                        let length = record.payload.len() - 8;
                        assert_eq!(record.payload, payload(record.order.0, length));
                    }
                }
            }
        });
        for reader in &mut readers {
            scope.spawn(|| {
                let mut from = 0;
                while !done.load(Ordering::Relaxed) {
                    match read_all(&mut **reader, from) {
                        Ok(seen) => {
                            batches::assert_messages(&seen, from, from + seen.len() as u64);
                            from += seen.len() as u64;
                        }
                        Err(store::Error::Trimmed(oldest)) => from = oldest.0,
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let parent = tempfile::tempdir().unwrap();
                copy_and_open(directory.path(), &parent.path().join("copy"));
            }
        });
        write(&mut *log, 10, 6000);
        let (_never, wait) = std::sync::mpsc::channel::<()>();
        assert!(wait.recv_timeout(Duration::from_millis(50)).is_err());
        done.store(true, Ordering::Relaxed);
    });
}

/// A copy made at any moment is whole, and a log opens on it.
fn copy_and_open(directory: &Path, to: &Path) {
    let copied = store::backup(directory, to).unwrap();
    let report = store::check(to).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert_eq!(report.log_id, Some(copied.log_id));
    let opened = store::open(&Options::new(to)).unwrap();
    let (oldest, next) = (opened.recovered.oldest, opened.recovered.next);
    assert_eq!(oldest..next, copied.messages);
    assert_eq!(opened.repair, None);
    let seen = read_all(&mut *opened.log.reader(), oldest.0).unwrap();
    batches::assert_messages(&seen, oldest.0, next.0);
    // From the second segment on, the snapshot knows the sender.
    let last = batches::last_sequence(&opened.recovered);
    assert!(last == next.0 || copied.segments == 1);
}

#[test]
fn what_is_no_log_is_not_whole() {
    let directory = tempfile::tempdir().unwrap();
    let no_log = |error: store::Error| matches!(error, store::Error::NoLog { .. });
    let to = directory.path().join("to");
    for name in ["", "notes.txt", "LOCK", "next.filling"] {
        let dir = directory.path().join(format!("with-{name}"));
        std::fs::create_dir(&dir).unwrap();
        if !name.is_empty() {
            std::fs::write(dir.join(name), vec![0; 4096]).unwrap();
        }
        assert!(no_log(store::check(&dir).unwrap_err()), "{name}");
        assert!(no_log(store::dump(&dir, None).err().unwrap()), "{name}");
        assert!(no_log(store::backup(&dir, &to).unwrap_err()), "{name}");
        assert!(no_log(store::salvage(&dir, &to).unwrap_err()), "{name}");
        assert!(!to.exists(), "{name}");
    }
}

#[test]
fn a_dump_shows_what_is_on_disk_and_goes_on_with_what_comes() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: SEGMENT,
        ..Options::new(directory.path())
    };
    let mut log = store::open(&options).unwrap().log;
    write(&mut *log, 0, 5);
    let log_id = log.log_id();
    let chunk = chunk_of(log_id, 5, &[100, 100], 1);
    log.put(Write::Messages(chunk)).unwrap();
    log.expose().unwrap();
    let ends = |dump: &mut store::Dump| dump.map(|chunk| chunk.unwrap().end().0).last();
    let mut dump = store::dump(directory.path(), None).unwrap();
    assert_eq!(ends(&mut dump), Some(5));
    assert_eq!(dump.not_yet_safe(), OrderNumber(5)..OrderNumber(7));
    let mut all = store::dump(directory.path(), None).unwrap().with_unsynced();
    assert_eq!(ends(&mut all), Some(7));
    assert_eq!(ends(&mut dump), None);
    log.commit().unwrap();
    assert_eq!(ends(&mut dump), Some(7));
    assert!(dump.not_yet_safe().is_empty());
    // Over the ends of segments, too, and after another start.
    write(&mut *log, 7, 1000);
    assert_eq!(ends(&mut dump), Some(1000));
    drop(log);
    let mut log = store::open(&options).unwrap().log;
    assert_eq!(ends(&mut dump), None);
    write(&mut *log, 1000, 1010);
    log.close().unwrap();
    assert_eq!(ends(&mut dump), Some(1010));
}
