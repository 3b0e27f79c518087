//! Power cuts and kills at every operation of the disk, through the very code that a broker
//! runs: what was synced is there, what was not may be gone, and nothing else is.
//!
//! One round is: open, check, write until the disk stops. The model of what must be there is
//! what was written, and up to where it was synced.

use std::time::Duration;

use crate::log::batches::{
    self, IDENTITY, Seen, Shortly as _, last_sequence, read_all, session, sessions_of,
};
use orden::core::{Chunk, Write};
use orden::store::{self, Error, Opened, Options, Run};
use orden::wire::Epoch;
use orden::wire::batch::Kind;
use orden::wire::sessions::SessionEntry;
use orden_kit::random::Random;
use orden_kit::simulated_disk::{Done, Fault, Leaves, SimulatedDisk};

const SEGMENT: u64 = 4096;

fn options() -> Options {
    Options {
        // Removals are part of what a power cut may interrupt.
        retain_age: Some(Duration::from_secs(25)),
        ..batches::options(SEGMENT)
    }
}

fn open(disk: &SimulatedDisk) -> Result<Opened, Error> {
    store::open_on(disk.medium(), &options(), Run::Inline, IDENTITY)
}

/// What was written, and what of it must be there.
#[derive(Clone, Default)]
struct Model {
    /// Payloads by order number.
    written: Vec<Vec<u8>>,
    synced: usize,
    epoch: u32,
    /// Whether the session of the sender is safe.
    joined: bool,
}

impl Model {
    /// Opens the log and compares it with what was written. What was lost is forgotten.
    fn open(&mut self, disk: &SimulatedDisk, told: &str) -> Opened {
        let opened = open(disk).unwrap_or_else(|error| panic!("{told}: {error}"));
        let next = opened.recovered.next.0 as usize;
        assert!(
            self.synced <= next,
            "{told}: {next}, synced {}",
            self.synced
        );
        assert!(
            next <= self.written.len(),
            "{told}: {next} was never written"
        );
        self.compare(&opened, told);
        assert!(
            opened.recovered.epoch >= Epoch(self.epoch),
            "{told}: epoch reused"
        );
        if self.joined || next > 0 {
            assert_eq!(last_sequence(&opened.recovered), next as u64, "{told}");
        }
        opened
    }

    fn compare(&self, opened: &Opened, told: &str) {
        let (oldest, next) = (opened.recovered.oldest.0, opened.recovered.next.0);
        let seen = read_all(&mut *opened.log.reader(), oldest);
        let seen = seen.unwrap_or_else(|error| panic!("{told}: {error}"));
        let written = self.written[oldest as usize..next as usize].iter().cloned();
        let expected: Vec<Seen> = (oldest..).zip(written).collect();
        assert!(seen == expected, "{told}: other messages than were written");
    }

    /// Opens the log and writes so many groups, or as many as the disk lets it.
    fn write(&mut self, disk: &SimulatedDisk, groups: usize, random: &mut Random, told: &str) {
        let Ok(mut opened) = open(disk) else {
            return;
        };
        self.written.truncate(opened.recovered.next.0 as usize);
        self.synced = self.written.len();
        self.joined |= self.synced > 0;
        self.epoch = opened.recovered.epoch.0 + 1;
        self.compare(&opened, told);
        for _ in 0..groups {
            if self.group(&mut *opened.log, random).is_err() {
                return;
            }
        }
    }

    /// One group: perhaps session changes, perhaps messages, then the sync.
    fn group(&mut self, log: &mut dyn store::Log, random: &mut Random) -> Result<(), Error> {
        let lengths: Vec<Vec<usize>> = (0..random.below(3))
            .map(|_| {
                (0..=random.below(3))
                    .map(|_| random.below(900) as usize)
                    .collect()
            })
            .collect();
        let count: usize = lengths.iter().map(Vec::len).sum();
        // Entries already count the messages of the group that follow them.
        let entry = session(self.synced as u64, (self.written.len() + count) as u64);
        let joins = !self.joined || random.below(3) == 0;
        if joins {
            let (next, entries) = (self.written.len() as u64, [entry.clone()]);
            let bytes = sessions_of(IDENTITY.log_id, Kind::Sessions, next, self.epoch, &entries);
            self.make_room(log, bytes.len(), &entry)?;
            log.put(Write::Sessions(bytes))?;
        }
        for lengths in lengths {
            let first = self.written.len() as u64;
            let chunk = self.chunk(first, &lengths);
            self.make_room(log, chunk.bytes().len(), &entry)?;
            self.note(first, &lengths);
            log.put(Write::Messages(chunk))?;
        }
        log.commit()?;
        self.synced = self.written.len();
        self.joined |= joins;
        Ok(())
    }

    fn make_room(
        &mut self,
        log: &mut dyn store::Log,
        bytes: usize,
        entry: &SessionEntry,
    ) -> Result<(), Error> {
        let (log_id, next, epoch) = (IDENTITY.log_id, self.written.len() as u64, self.epoch);
        let snapshot = || batches::snapshot(log_id, next, epoch, entry.clone());
        log.fit(bytes, snapshot)
    }

    fn chunk(&self, first: u64, lengths: &[usize]) -> Chunk {
        batches::chunk(first, &self.salted(lengths), self.epoch)
    }

    /// Notes a batch as written: before it is, since a power cut may leave all of it.
    fn note(&mut self, first: u64, lengths: &[usize]) {
        let lengths = self.salted(lengths);
        let payloads = (first..).zip(lengths);
        let payloads = payloads.map(|(order, length)| batches::payload(order, length));
        self.written.extend(payloads);
    }

    /// Another epoch's message of the same number says something else.
    fn salted(&self, lengths: &[usize]) -> Vec<usize> {
        let salt = self.epoch as usize;
        lengths.iter().map(|length| length + salt).collect()
    }
}

fn leaves(seeds: u64) -> impl Iterator<Item = Leaves> {
    [Leaves::Nothing, Leaves::Everything]
        .into_iter()
        .chain((0..seeds).map(Leaves::Some))
}

/// Runs `rounds` earlier, whole rounds, then one that ends at each operation in turn.
fn at_every_operation(rounds: u64, mut check: impl FnMut(&SimulatedDisk, &Model, u64)) {
    let mut model = Model::default();
    let disk = SimulatedDisk::new();
    for round in 0..rounds {
        model.write(&disk, 8, &mut Random::new(round), "before");
    }
    let files = disk.files();
    for at in 1.. {
        let disk = SimulatedDisk::with_files(&files);
        disk.fail_at(at, Fault::PowerCut);
        let mut model = model.clone();
        model.write(&disk, 14, &mut Random::new(rounds), "before");
        check(&disk, &model, at);
        if disk.operations() < at {
            return;
        }
    }
}

#[test]
fn a_power_cut_at_every_operation_loses_nothing_that_was_synced() {
    for rounds in 0..3 {
        at_every_operation(rounds, |disk, model, at| {
            for leaves in leaves(8) {
                let told = format!("round {rounds}, power cut at {at}, leaves {leaves:?}");
                let disk = disk.after_power_cut(leaves);
                let mut model = model.clone();
                let first = model.open(&disk, &told).recovered;
                // The same again, and on whatever is safe by then.
                for disk in [disk.after_kill(), disk.after_power_cut(Leaves::Nothing)] {
                    let again = model.open(&disk, &told).recovered;
                    assert_eq!(again.next, first.next, "{told}: recovery is not idempotent");
                    assert_eq!(last_sequence(&again), last_sequence(&first));
                }
                model.write(&disk, 3, &mut Random::new(at), &told);
                let disk = disk.after_power_cut(leaves);
                model.open(&disk, &format!("{told}, then written on"));
            }
        });
    }
}

#[test]
fn a_kill_loses_nothing_and_what_is_found_is_safe() {
    for rounds in 0..2 {
        at_every_operation(rounds, |disk, model, at| {
            let told = format!("round {rounds}, killed at {at}");
            let killed = disk.after_kill();
            let mut model = model.clone();
            let found = model.open(&killed, &told).recovered;
            // What recovery has told of must survive the power from then on.
            let disk = killed.after_power_cut(Leaves::Nothing);
            let again = model.open(&disk, &told).recovered;
            assert_eq!(again.next, found.next, "{told}: found, told of, and lost");
            // And so must what is written after it, wherever the kill left things.
            model.write(&killed, 3, &mut Random::new(at), &told);
            let disk = killed.after_power_cut(Leaves::Nothing);
            model.open(&disk, &format!("{told}, then written on"));
        });
    }
}

#[test]
fn recovery_may_itself_be_cut_short_at_every_operation() {
    at_every_operation(1, |disk, model, at| {
        // After a kill, what recovery finds may be in the system's cache only.
        let images = (0..4).map(|seed| disk.after_power_cut(Leaves::Some(seed)));
        for (image, killed) in images
            .map(|image| (image, false))
            .chain([(disk.after_kill(), true)])
        {
            let told = format!("cut at {at}, killed: {killed}");
            let whole = image.after_kill();
            let found = model.clone().open(&whole, &told).recovered;
            for during in 1..=whole.operations() {
                let disk = image.after_kill();
                disk.fail_at(during, Fault::PowerCut);
                assert!(open(&disk).is_err());
                for leaves in leaves(3) {
                    let told = format!("{told}, recovery cut at {during}, leaves {leaves:?}");
                    let disk = disk.after_power_cut(leaves);
                    let again = model.clone().open(&disk, &told).recovered;
                    assert!(killed || again.next == found.next, "{told}");
                }
            }
        }
    });
}

#[test]
fn round_after_round_of_kills_and_power_cuts() {
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let mut model = Model::default();
        let mut disk = SimulatedDisk::new();
        for round in 0..8 {
            disk.fail_at(1 + random.below(60), Fault::PowerCut);
            let told = format!("seed {seed}, round {round}");
            model.write(&disk, 20, &mut random, &told);
            disk = match random.below(3) {
                0 => disk.after_kill(),
                _ => disk.after_power_cut(Leaves::Some(random.next())),
            };
            drop(model.clone().open(&disk.after_kill(), &told));
        }
    }
}

#[test]
fn an_error_of_the_disk_ends_the_log() {
    let mut ended = 0;
    for at in 1.. {
        let told = format!("error at {at}");
        let disk = SimulatedDisk::new();
        disk.fail_at(at, Fault::Error);
        let mut model = Model::default();
        let Ok(mut opened) = open(&disk) else {
            continue;
        };
        model.epoch = 1;
        let mut random = Random::new(0);
        let failed = (0..14).find_map(|_| model.group(&mut *opened.log, &mut random).err());
        if disk.operations() < at {
            break;
        }
        if let Some(error) = failed {
            assert!(matches!(error, Error::Io { .. }), "{told}: {error}");
            // Nothing is written any more: a second try would report what has not happened.
            let before = disk.operations();
            assert!(matches!(opened.log.commit(), Err(Error::Ended)), "{told}");
            let room = opened.log.fit(1, Vec::new);
            assert!(matches!(room, Err(Error::Ended)), "{told}");
            assert_eq!(disk.operations(), before);
            ended += 1;
        }
        drop(opened);
        // The system's cache holds what never reached the disk: recovery is not taken in.
        let disk = disk.after_kill();
        let found = model.open(&disk, &told).recovered;
        let disk = disk.after_power_cut(Leaves::Nothing);
        let again = model.open(&disk, &told).recovered;
        assert_eq!(again.next, found.next, "{told}: found, told of, and lost");
    }
    assert!(ended > 20);
}

#[test]
fn messages_are_written_then_synced_and_seen_only_then() {
    let disk = SimulatedDisk::new();
    let mut log = open(&disk).unwrap().log;
    let before = disk.done().len();
    log.put(Write::Messages(batches::chunk(0, &[100], 1)))
        .unwrap();
    log.commit().unwrap();
    let done = disk.done().split_off(before);
    let name = "00000000000000000001.segment";
    assert!(
        matches!(&done[0], Done::Write(file, _, _) if file == name),
        "{done:?}"
    );
    assert_eq!(done[1], Done::Sync(name.into()));
}
