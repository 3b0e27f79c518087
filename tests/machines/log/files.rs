//! Logs as files: made on a simulated disk, to be damaged and opened again.

use std::ops::Range;
use std::sync::Arc;

use orden::store::{self, Error, Opened, Run, segment};
use orden::wire::batch::Header;

use crate::log::batches::{IDENTITY, chunk, options, write};
use orden_kit::simulated_disk::{Files, SimulatedDisk};

pub(crate) fn open(files: &Files) -> Result<Opened, Error> {
    open_disk(&SimulatedDisk::with_files(files))
}

pub(crate) fn open_disk(disk: &SimulatedDisk) -> Result<Opened, Error> {
    store::open_on(disk.medium(), &options(4096), Run::Inline, IDENTITY)
}

pub(crate) fn name(sequence: u64) -> String {
    format!("{sequence:020}.segment")
}

/// The bytes of a segment, to change.
pub(crate) fn edit(files: &mut Files, sequence: u64) -> &mut Vec<u8> {
    Arc::make_mut(files.get_mut(&name(sequence)).unwrap())
}

/// The files of a log with these batches, each synced; `close` or not.
pub(crate) fn log_of(segment_bytes: u64, batches: &[&[usize]], close: bool) -> Files {
    let disk = SimulatedDisk::new();
    let options = options(segment_bytes);
    let mut log = store::open_on(disk.medium(), &options, Run::Inline, IDENTITY)
        .unwrap()
        .log;
    let mut next = 0;
    for lengths in batches {
        write(&mut *log, &chunk(next, lengths, 1), 1);
        next += lengths.len() as u64;
    }
    if close {
        log.close().unwrap();
    }
    let mut files = disk.files();
    files.retain(|name, _| name.ends_with(".segment"));
    files
}

/// Where the batches of a segment lie.
pub(crate) fn placed(bytes: &[u8]) -> Vec<(Range<usize>, Header)> {
    let mut found = Vec::new();
    let mut at = segment::HEADER_LEN;
    while let Ok(header) = Header::decode(&bytes[at..]) {
        found.push((at..at + header.length, header));
        at += header.length;
    }
    found
}

pub(crate) fn end_of_batches(bytes: &[u8]) -> usize {
    placed(bytes).last().unwrap().0.end
}
