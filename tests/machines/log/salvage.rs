//! Copies of a log, and what is saved of a damaged one.

use std::ops::Range;

use orden::store::{self, Error, Identity, Run};
use orden::wire::batch::{self, Header};
use orden::wire::{LogId, OrderNumber};

use crate::log::batches::{IDENTITY, options, payload, read_all};
use crate::log::files::{edit, log_of, name};
use orden_kit::simulated_disk::{Files, SimulatedDisk};

const FRESH: Identity = Identity {
    log_id: LogId(7),
    secret: 8,
};

/// Salvages these files; gives where messages lay, and what the new log holds.
fn salvaged(files: &Files) -> (store::Salvaged, Vec<(u64, Vec<u8>)>) {
    let (from, to) = (SimulatedDisk::with_files(files), SimulatedDisk::new());
    let found = store::salvage_on(&*from.medium(), &*to.medium(), FRESH).unwrap();
    assert_eq!(found.log_id, FRESH.log_id);
    let report = store::check_on(&*to.medium()).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    let opened = store::open_on(to.medium(), &options(4096), Run::Inline, IDENTITY).unwrap();
    assert_eq!(opened.recovered.log_id, FRESH.log_id);
    assert_eq!(opened.recovered.sessions().count(), 0);
    let oldest = opened.recovered.oldest.0;
    let seen = read_all(&mut *opened.log.reader(), oldest).unwrap();
    (found, seen)
}

fn stretches(found: &store::Salvaged) -> Vec<(Range<u64>, u64)> {
    let plain = |stretch: &store::Stretch| {
        let was = stretch.was.start.0..stretch.was.end.0;
        (was, stretch.now.0)
    };
    found.stretches.iter().map(plain).collect()
}

/// A log of ten messages a segment or so, three a batch.
fn whole() -> Files {
    log_of(4096, &[&[300, 300, 300][..]; 12], true)
}

/// Where the batches of a segment begin, with their headers.
fn batches(files: &Files, sequence: u64) -> Vec<(usize, Header)> {
    let bytes = &files[&name(sequence)];
    let mut at = store::segment::HEADER_LEN;
    let mut found = Vec::new();
    while let Ok(header) = batch::verify(&bytes[at..]) {
        found.push((at, header));
        at += header.length;
    }
    found
}

#[test]
fn a_whole_log_is_saved_whole() {
    let (found, seen) = salvaged(&whole());
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    assert_eq!(stretches(&found), [(0..36, 0)]);
    for (order, text) in &seen {
        assert_eq!(*text, payload(*order, 300));
    }
    assert_eq!(seen.len(), 36);
}

#[test]
fn what_lies_behind_a_damaged_record_or_header_is_saved_with_new_numbers() {
    // In the second record of a batch; in its header, so that it goes on at the next mark.
    for (place, lost) in [(48 + 344 + 100, 1), (9, 0)] {
        let mut files = whole();
        let messages = batches(&files, 2);
        let (at, header) = *messages
            .iter()
            .filter(|(_, header)| header.count == 3 && header.kind == batch::Kind::Messages)
            .nth(1)
            .unwrap();
        edit(&mut files, 2)[at + place] ^= 1;
        let (found, seen) = salvaged(&files);
        assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
        let (before, after) = (header.first.0 + lost, header.end().0);
        assert_eq!(
            stretches(&found),
            [(0..before, 0), (after..36, before)],
            "at {place}"
        );
        let texts = (0..before)
            .chain(after..36)
            .map(|order| payload(order, 300));
        let expected: Vec<_> = (0..).zip(texts).collect();
        assert_eq!(seen, expected);
    }
}

#[test]
fn a_segment_that_is_gone_or_headless_costs_what_was_in_it() {
    let files = whole();
    let second = batches(&files, 2);
    let (first, end) = (second[0].1.first.0, second.last().unwrap().1.end().0);
    let mut gone = files.clone();
    gone.remove(&name(2));
    let (found, _) = salvaged(&gone);
    assert_eq!(stretches(&found), [(0..first, 0), (end..36, first)]);
    assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
    // The header can be done without: what follows says what it is.
    for headless in [1, 2] {
        let mut files = files.clone();
        edit(&mut files, headless)[20] ^= 1;
        let (found, seen) = salvaged(&files);
        assert_eq!(stretches(&found), [(0..36, 0)]);
        assert!(!found.problems.is_empty());
        assert_eq!(seen.len(), 36);
    }
}

#[test]
fn a_log_that_begins_later_keeps_its_numbers() {
    let mut files = whole();
    let first = batches(&files, 2)[0].1.first.0;
    files.remove(&name(1));
    let (found, seen) = salvaged(&files);
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    assert_eq!(stretches(&found), [(first..36, first)]);
    assert_eq!(seen[0], (first, payload(first, 300)));
}

#[test]
fn a_batch_inside_a_message_is_not_taken_for_one() {
    // A message holds the bytes of a batch with higher numbers; the header before it is damaged.
    let inner = crate::log::batches::chunk(30, &[0], 1);
    let mut files = log_of(4096, &[&[300], &[300], &[300]], true);
    let messages: Vec<_> = batches(&files, 1)
        .into_iter()
        .filter(|(_, header)| header.kind == batch::Kind::Messages)
        .collect();
    let (at, _) = messages[1];
    let bytes = edit(&mut files, 1);
    let inside = at + 48 + 36 + 3 + 8;
    bytes[inside..inside + inner.bytes().len()].copy_from_slice(inner.bytes());
    bytes[at + 9] ^= 1;
    let (found, _) = salvaged(&files);
    assert_eq!(stretches(&found), [(0..1, 0), (2..3, 1)]);
}

#[test]
fn nothing_is_copied_over_something_and_nothing_left_after_an_error() {
    let from = SimulatedDisk::with_files(&whole());
    let to = SimulatedDisk::with_files(&whole());
    let (source, target) = (from.medium(), to.medium());
    let refused = store::backup_on(&*source, &*target).unwrap_err();
    assert!(matches!(refused, Error::NotEmpty(_)), "{refused}");
    let refused = store::salvage_on(&*source, &*target, FRESH).unwrap_err();
    assert!(matches!(refused, Error::NotEmpty(_)), "{refused}");
    let small = SimulatedDisk::new();
    small.limit_space(Some(6000));
    assert!(store::backup_on(&*source, &*small.medium()).is_err());
    assert!(small.medium().list().unwrap().is_empty());
    assert!(store::salvage_on(&*source, &*small.medium(), FRESH).is_err());
    assert!(small.medium().list().unwrap().is_empty());
    // What is damaged is not copied.
    let mut files = whole();
    edit(&mut files, 1)[200] ^= 1;
    let damaged = SimulatedDisk::with_files(&files);
    let fresh = SimulatedDisk::new();
    let refused = store::backup_on(&*damaged.medium(), &*fresh.medium()).unwrap_err();
    assert!(refused.is_damage(), "{refused}");
    assert!(fresh.medium().list().unwrap().is_empty());
    let dumped = store::dump_on(damaged.medium(), None);
    assert!(dumped.is_err() || dumped.unwrap().any(|chunk| chunk.is_err()));
    assert_eq!(
        OrderNumber(0),
        store::dump_on(source, None)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .first()
    );
}
