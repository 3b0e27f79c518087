//! A log looked at from outside, and read by others, while a broker writes to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use orden::store::{self, Ending, Options};
use orden::wire::OrderNumber;

use crate::log::batches::{self, chunk_of, make_room, payload, read_all};

const SEGMENT: u64 = 64 << 10;

/// Writes messages in groups of different sizes.
fn write(log: &mut dyn store::Log, first: u64, next: u64) {
    let log_id = log.log_id();
    let mut at = first;
    while at < next {
        let lengths = vec![(at % 900) as usize; (1 + at % 5).min(next - at) as usize];
        let chunk = chunk_of(log_id, at, &lengths, 1);
        let snapshot = || batches::snapshot(log_id, at, 1, batches::session(at, at));
        make_room(log, chunk.bytes().len(), snapshot).unwrap();
        log.append(&chunk).unwrap();
        log.sync().unwrap();
        at = chunk.end().0;
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
                let oldest = store::check(directory.path()).unwrap().segments[0].first;
                // What is oldest may be let go before it is dumped.
                let Ok(dump) = store::dump(directory.path(), oldest) else {
                    continue;
                };
                for chunk in dump {
                    let chunk = match chunk {
                        Ok(chunk) => chunk,
                        Err(error) => {
                            assert!(!error.is_damage(), "{error}");
                            break;
                        }
                    };
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
        write(&mut *log, 10, 6000);
        let (_never, wait) = std::sync::mpsc::channel::<()>();
        assert!(wait.recv_timeout(Duration::from_millis(50)).is_err());
        done.store(true, Ordering::Relaxed);
    });
}
