//! Each bit of a log flipped: it is always noticed, and nothing wrong is ever delivered.

use orden::store::{self, Ending, segment};
use orden::wire::OrderNumber;
use orden::wire::batch::{self, Header, Kind};

use crate::log::batches;
use crate::log::files::{edit, log_of, open_disk, placed};
use orden_kit::random::Random;
use orden_kit::simulated_disk::{Files, SimulatedDisk};

/// What a flipped bit may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flip {
    /// The log does not open.
    Refused,
    /// It opens, and reading the segment finds the damage.
    FoundByReading,
    /// Nothing that was ordered is touched: a check finds it, reading does not need to.
    FoundByCheck,
    /// It is cut off behind the last message.
    CutOff,
}

fn expected(bytes: &[u8], at: usize, newest: bool) -> Flip {
    let all = placed(bytes);
    let of_messages = |(_, header): &&(_, Header)| header.kind == Kind::Messages;
    let end = all.iter().rfind(of_messages).unwrap().0.end;
    let snapshot = all[0].0.start + batch::HEADER_LEN..all[0].0.end;
    let tail = all.last().unwrap().0.start;
    match newest {
        _ if at < segment::HEADER_LEN => Flip::Refused,
        true if at < tail => Flip::Refused,
        true => Flip::CutOff,
        // Reading looks at everything between messages, and finds its way by what is before.
        false if at < end && !snapshot.contains(&at) => Flip::FoundByReading,
        false => Flip::FoundByCheck,
    }
}

/// Flips one bit and looks at what becomes of it.
fn flip(files: &Files, sequence: u64, at: usize, bit: usize, expected: Flip, all: &[(u64, u64)]) {
    let told = format!("segment {sequence}, byte {at}, bit {bit}");
    let mut flipped = files.clone();
    edit(&mut flipped, sequence)[at] ^= 1 << bit;
    let disk = SimulatedDisk::with_files(&flipped);
    if bit == at % 8 {
        let report = store::check_on(&*disk.medium()).unwrap();
        let ending = report.segments.last().map(|segment| segment.ending);
        let found = !report.problems.is_empty() || matches!(ending, Some(Ending::Unfinished(_)));
        assert!(found, "{told}: the check found nothing");
        let damaged = expected != Flip::CutOff;
        assert_eq!(!report.problems.is_empty(), damaged, "{told}");
    }
    let opened = match (open_disk(&disk), expected) {
        (Err(error), Flip::Refused) => return assert!(error.is_damage(), "{told}: {error}"),
        (Err(error), _) => panic!("{told}: refused: {error}"),
        (Ok(_), Flip::Refused) => panic!("{told}: not refused"),
        (Ok(opened), _) => opened,
    };
    assert_eq!(opened.repair.is_some(), expected == Flip::CutOff, "{told}");
    let (first, next) = all[sequence as usize - 1];
    assert_eq!(opened.recovered.next.0, all.last().unwrap().1, "{told}");
    let mut reader = opened.log.reader();
    let mut from = first;
    let damage = loop {
        match reader.read(OrderNumber(from)) {
            Ok(chunk) => {
                for record in chunk.records() {
                    let (order, text) = (record.order.0, record.payload);
                    assert_eq!(text, batches::payload(order, text.len() - 8), "{told}");
                }
                from = chunk.end().0;
                if from >= next {
                    break false;
                }
            }
            Err(error) => break error.is_damage(),
        }
    };
    assert_eq!(damage, expected == Flip::FoundByReading, "{told}");
}

#[test]
fn each_bit_of_64_kib_flipped_is_noticed_and_nothing_wrong_delivered() {
    let lengths: Vec<usize> = (0..76).map(|at| at * 97 % 1300).collect();
    let groups: Vec<&[usize]> = lengths.chunks(2).collect();
    let mut logs = (1..).map(|count| log_of(8 << 10, &groups[..count], true));
    let files = logs.find(|files| files.len() == 8).unwrap();
    assert_eq!(
        files.values().map(|bytes| bytes.len()).sum::<usize>(),
        64 << 10
    );
    let ends: Vec<(u64, u64)> = files
        .values()
        .map(|bytes| {
            let batches = placed(bytes);
            (batches[0].1.first.0, batches.last().unwrap().1.end().0)
        })
        .collect();
    let newest = files.len() as u64;
    std::thread::scope(|scope| {
        for (sequence, bytes) in (1..).zip(files.values()) {
            let (files, ends) = (&files, &ends);
            scope.spawn(move || {
                for at in 0..bytes.len() {
                    let expected = expected(bytes, at, sequence == newest);
                    for bit in 0..8 {
                        flip(files, sequence, at, bit, expected, ends);
                    }
                }
            });
        }
    });
}

/// Damages a file as no disk does: stretches overwritten, moved, copied, cut out.
fn garble(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let length = 1 + random.below(600) as usize;
        let place = |random: &mut Random| random.below((bytes.len() - length) as u64) as usize;
        let (from, to) = (place(random), place(random));
        match random.below(4) {
            0 => bytes[from..from + length].fill(0),
            1 => bytes.copy_within(from..from + length, to),
            2 => bytes[from..from + length].reverse(),
            _ => {
                let cut: Vec<u8> = bytes.drain(from..from + length).collect();
                bytes.extend(cut);
            }
        }
    }
}

#[test]
fn whatever_is_in_a_file_nothing_wrong_is_delivered() {
    let lengths: Vec<usize> = (0..40).map(|at| at * 37 % 500).collect();
    let groups: Vec<&[usize]> = lengths.chunks(3).collect();
    let files = log_of(8 << 10, &groups, false);
    let (mut refused, mut opened) = (0, 0);
    for seed in 0..3000 {
        let mut random = Random::new(seed);
        let mut files = files.clone();
        garble(edit(&mut files, 1 + random.below(2)), &mut random);
        let disk = SimulatedDisk::with_files(&files);
        let report = store::check_on(&*disk.medium()).unwrap();
        let Ok(log) = open_disk(&disk) else {
            assert!(
                !report.problems.is_empty(),
                "seed {seed}: the check found nothing"
            );
            refused += 1;
            continue;
        };
        opened += 1;
        let mut reader = log.log.reader();
        let mut next = log.recovered.oldest;
        while let Ok(chunk) = reader.read(next) {
            for record in chunk.records() {
                let (order, text) = (record.order.0, record.payload);
                assert_eq!(text.len(), 8 + lengths[order as usize], "seed {seed}");
                assert_eq!(text, batches::payload(order, text.len() - 8), "seed {seed}");
            }
            next = chunk.end();
        }
    }
    assert!(
        refused > 500 && opened > 500,
        "{refused} refused, {opened} opened"
    );
}
