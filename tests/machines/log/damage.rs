//! A log that is not as it was written: every torn tail is cut off, all damage is refused or
//! found, and nobody is ever given a message that was not ordered.

use crate::log::batches::{self, IDENTITY, assert_messages, chunk, read_all, write};
use crate::log::files::{edit, end_of_batches, log_of, name, open, open_disk, placed};
use orden::store::{self, Error, Opened, mark, segment};
use orden::wire::batch::{self, Header, Kind};
use orden::wire::native::MAGIC;
use orden::wire::{Epoch, LogId, OrderNumber};
use orden_kit::simulated_disk::{Files, SimulatedDisk};

fn damage(result: Result<Opened, Error>) -> (u64, String) {
    match result.err().expect("damage must be refused") {
        error @ Error::Damaged { offset, .. } => (offset, error.to_string()),
        error => panic!("not damage: {error}"),
    }
}

#[test]
fn a_tail_lost_from_any_byte_on_is_cut_to_whole_batches() {
    let files = log_of(4096, &[&[50], &[20, 30], &[10], &[40, 0, 7], &[60]], false);
    let whole = &files[&name(1)];
    let groups: Vec<_> = placed(whole)
        .into_iter()
        .filter(|(_, header)| header.kind == Kind::Messages)
        .collect();
    for from in groups[2].0.start..end_of_batches(whole) {
        // What was never written is zero, as the file was before.
        let mut files = files.clone();
        edit(&mut files, 1)[from..].fill(0);
        let mut kept = groups.iter().filter(|(place, _)| place.end <= from);
        let next = kept.next_back().unwrap().1.end();
        let disk = SimulatedDisk::with_files(&files);
        let opened = open_disk(&disk).unwrap();
        assert_eq!(opened.recovered.next, next, "lost from {from}");
        assert_messages(&read_all(&mut *opened.log.reader(), 0).unwrap(), 0, next.0);
        let mut log = opened.log;
        write(&mut *log, &chunk(next.0, &[5], 2), 2);
        drop(log);
        let again = open_disk(&disk).unwrap();
        assert_eq!(again.recovered.next, next.plus(1));
        assert_eq!(again.repair, None, "what was cut off at {from} came back");

        // A file can only become shorter by other hands than the broker's.
        let mut shorter = files.clone();
        edit(&mut shorter, 1).truncate(from);
        let (offset, told) = damage(open(&shorter));
        assert_eq!(offset, from as u64);
        assert!(told.contains("truncate -s"), "{told}");
        // What the message advises helps.
        edit(&mut shorter, 1).resize(whole.len(), 0);
        assert_eq!(open(&shorter).unwrap().recovered.next, next);
    }
}

#[test]
fn every_subset_of_the_sectors_of_a_torn_write_is_cut_off() {
    let files = log_of(8192, &[&[300], &[100, 3000, 900]], false);
    let whole = &files[&name(1)];
    let all = placed(whole);
    let (last, _) = &all[all.len() - 2];
    // The mark behind it was not written before the sync that did not happen.
    let sectors: Vec<_> = (last.start / 512..=(last.end - 1) / 512).collect();
    assert!(sectors.len() >= 8);
    for lost in 1_u32..1 << sectors.len() {
        let mut files = files.clone();
        let bytes = edit(&mut files, 1);
        bytes[last.end..].fill(0);
        for (bit, sector) in sectors.iter().enumerate() {
            if lost >> bit & 1 == 1 {
                let start = last.start.max(sector * 512);
                bytes[start..last.end.min((sector + 1) * 512)].fill(0);
            }
        }
        let disk = SimulatedDisk::with_files(&files);
        let opened = open_disk(&disk).unwrap();
        assert_eq!(opened.recovered.next, OrderNumber(1), "lost {lost:b}");
        drop(opened);
        assert!(
            disk.files()[&name(1)][last.start + mark::LEN..]
                .iter()
                .all(|&byte| byte == 0)
        );
    }
}

#[test]
fn files_that_are_gone_swapped_or_of_another_log_are_refused() {
    let groups: Vec<&[usize]> = vec![&[900]; 12];
    let files = log_of(4096, &groups, false);
    assert!(files.len() >= 4);
    let refused = |change: &dyn Fn(&mut Files), says: &str| {
        let mut changed = files.clone();
        change(&mut changed);
        let disk = SimulatedDisk::with_files(&changed);
        let report = store::check_on(&*disk.medium()).unwrap();
        assert!(
            !report.problems.is_empty(),
            "the check does not find: {says}"
        );
        let (_, told) = damage(open_disk(&disk));
        assert!(told.contains(says), "{told}");
        assert_eq!(disk.files(), changed, "what is refused is not touched");
    };
    let newest = files.len() as u64;
    let take = |files: &mut Files, sequence| files.remove(&name(sequence)).unwrap();
    refused(&|files| drop(take(files, 2)), "segment is missing");
    refused(&|files| drop(take(files, newest)), "segment is missing");
    refused(
        &|files| {
            let (one, other) = (take(files, 2), take(files, 3));
            files.extend([(name(2), other), (name(3), one)]);
        },
        "this is segment 3 by its header",
    );
    refused(&|files| edit(files, 1).clear(), "too short");
    refused(&|files| edit(files, 1).fill(7), "not a segment");
    refused(&|files| edit(files, newest).fill(0), "not a segment");
    refused(
        &|files| {
            let bytes = edit(files, newest);
            reseal_segment(bytes, |bytes| bytes[segment::field::LOG_ID][0] ^= 1);
        },
        "another log",
    );
    refused(
        &|files| {
            let bytes = edit(files, newest);
            let end = placed(bytes)[0].0.start;
            bytes[end..].fill(0);
        },
        "snapshot",
    );
}

fn reseal_segment(bytes: &mut [u8], change: impl FnOnce(&mut [u8])) {
    let header = &mut bytes[..segment::HEADER_LEN];
    change(header);
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[..segment::field::CHECKSUM.start]);
    hasher.update(&header[segment::field::CHECKSUM.end..]);
    header[segment::field::CHECKSUM].copy_from_slice(&hasher.finalize().to_be_bytes());
}

#[test]
fn a_newer_format_is_refused_by_its_number() {
    let mut files = log_of(4096, &[&[10]], true);
    reseal_segment(edit(&mut files, 1), |header| {
        header[segment::field::FORMAT].copy_from_slice(&7_u32.to_be_bytes());
    });
    let error = open(&files).err().unwrap();
    assert!(
        matches!(error, Error::NewerFormat { found: 7, .. }),
        "{error}"
    );
    assert!(error.is_damage());
}

#[test]
fn valid_batches_in_the_wrong_place_are_refused() {
    let files = log_of(4096, &[&[10], &[10]], false);
    let end = end_of_batches(&files[&name(1)]);
    let wrong = [
        ("order number 7", chunk(7, &[10], 1)),
        ("order number 1", chunk(1, &[10], 1)),
        ("another log", batches::chunk_of(LogId(5), 2, &[10], 1)),
    ];
    for (says, batch) in wrong {
        let batch = batch.bytes();
        let mut files = files.clone();
        edit(&mut files, 1)[end..end + batch.len()].copy_from_slice(batch);
        let (offset, told) = damage(open(&files));
        assert_eq!(offset, end as u64);
        assert!(told.contains(says), "{told}");
    }
}

/// Bytes that a client could send: marks with a secret, for each place that they may come to.
fn forged(secret: u64, place: usize, length: usize) -> Vec<u8> {
    let mut payload = vec![0; length];
    for at in (0..length - mark::LEN).step_by(mark::LEN) {
        let bytes = &mut payload[at..at + mark::LEN];
        bytes[mark::field::OFFSET].copy_from_slice(&((place + at) as u64).to_be_bytes());
        bytes[mark::field::SECRET].copy_from_slice(&secret.to_be_bytes());
        Header {
            kind: Kind::Synced,
            length: mark::LEN,
            count: 0,
            first: OrderNumber(u64::MAX),
            log_id: IDENTITY.log_id,
            epoch: Epoch(u32::MAX),
            body_checksum: 0,
        }
        .seal(bytes);
    }
    payload
}

#[test]
fn a_message_cannot_pass_for_a_mark() {
    let files = log_of(8192, &[&[10]], false);
    let start = end_of_batches(&files[&name(1)]);
    let head = batch::HEADER_LEN + orden::wire::record::HEADER_LEN + batches::SENDER.len();
    // A copy of the log itself, with real marks in it; and forged ones for their very place.
    let copies = files[&name(1)][..start].to_vec();
    let at_place = forged(1234, start + head, 2000);
    let mut torn = 0;
    for payload in [copies, at_place, forged(0, start + head, 2000)] {
        let mut open_batch = orden::core::OpenBatch::new(OrderNumber(1));
        open_batch.push(orden::wire::record::Record {
            order: OrderNumber(1),
            client_sequence: orden::wire::ClientSequence(2),
            time: 0,
            flags: orden::wire::record::Flags::default(),
            sender: batches::SENDER,
            payload: &payload,
        });
        let batch = open_batch.seal(IDENTITY.log_id, Epoch(1)).unwrap();
        let mut files = files.clone();
        let bytes = edit(&mut files, 1);
        bytes[start..start + batch.bytes().len()].copy_from_slice(batch.bytes());
        // The sector with the batch's header was not written.
        bytes[start..(start / 512 + 1) * 512].fill(0);
        let opened = open(&files).unwrap();
        assert_eq!(opened.recovered.next, OrderNumber(1));
        assert!(opened.repair.is_some());
        torn += 1;
    }
    // The forgery is good in all but the secret: with it, this would be damage.
    let mut files = files.clone();
    let bytes = edit(&mut files, 1);
    let place = start + 512;
    bytes[place..place + 2000].copy_from_slice(&forged(IDENTITY.secret, place, 2000));
    assert_eq!(bytes[place], MAGIC);
    damage(open(&files));
    assert_eq!(torn, 3);
}

#[test]
fn reading_and_dumping_stop_at_damage_and_say_where() {
    let groups: Vec<&[usize]> = vec![&[900]; 12];
    let mut files = log_of(4096, &groups, true);
    let bytes = edit(&mut files, 2);
    let messages = placed(bytes);
    let (place, header) = messages
        .iter()
        .find(|(_, header)| header.kind == Kind::Messages)
        .unwrap();
    bytes[place.end - 1] ^= 0x10;
    let opened = open(&files).unwrap();
    let error = read_all(&mut *opened.log.reader(), header.first.0)
        .err()
        .unwrap();
    let told = error.to_string();
    assert!(told.contains(&name(2)), "{told}");
    let disk = SimulatedDisk::with_files(&files);
    let dumped: Vec<_> = store::dump_on(disk.medium(), OrderNumber(0))
        .unwrap()
        .collect();
    let (last, before) = dumped.split_last().unwrap();
    assert!(last.as_ref().is_err_and(Error::is_damage));
    let before: Vec<_> = before.iter().map(|chunk| chunk.as_ref().unwrap()).collect();
    assert_eq!(before.last().unwrap().end(), header.first);
}

#[test]
fn opening_reads_one_segment_and_of_the_others_their_heads() {
    let groups: Vec<&[usize]> = vec![&[900]; 120];
    let files = log_of(4096, &groups, false);
    assert!(files.len() > 30);
    let disk = SimulatedDisk::with_files(&files);
    drop(open_disk(&disk).unwrap());
    let read = disk.read();
    let newest = name(files.len() as u64);
    for (file, bytes) in &read {
        let most = if *file == newest {
            3 * 4096
        } else {
            segment::HEADER_LEN
        };
        assert!(*bytes <= most, "{bytes} bytes of {file}");
    }
    assert_eq!(read.len(), files.len());
}
