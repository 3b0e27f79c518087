//! After the end, bits of the log are flipped. Whoever opens it then is refused, or finds what was
//! written: never anything else.

use std::sync::Arc;

use orden::store::{Opened, Options};
use orden::wire::OrderNumber;
use orden::wire::sessions::SessionEntry;

use crate::checker::history::Message;
use crate::simulated_disk::{Files, SimulatedDisk};
use crate::simulation::broker::open_log;
use crate::simulation::counters::{Counters, Sometimes};
use crate::simulation::dice::Dice;

/// How many bits, each in a log of its own.
const FLIPS: usize = 3;

/// What was in the log before.
struct Truth {
    oldest: OrderNumber,
    messages: Vec<Message>,
    sessions: Vec<SessionEntry>,
}

/// Flips bits of the log on this disk, which was closed in good order.
pub(crate) fn flip_bits(
    disk: &SimulatedDisk,
    options: &Options,
    dice: &mut Dice,
    counters: &mut Counters,
) {
    let mut files = disk.files();
    files.retain(|name, _| name.ends_with(".segment"));
    let truth = Truth::of(&open(&files, options).expect("it is as it was written"));
    for _ in 0..FLIPS {
        let mut flipped = files.clone();
        let name = dice.pick(&files.keys().cloned().collect::<Vec<_>>());
        let bytes = Arc::make_mut(flipped.get_mut(&name).unwrap());
        // Most of a segment is zeros, of which nobody can tell anything.
        let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
        let within = if dice.chance(900) { end } else { bytes.len() };
        let at = dice.below(within);
        bytes[at] ^= 1 << dice.below(8);
        let told = format!("{name}, byte {at}");
        match open(&flipped, options) {
            Ok(opened) => truth.must_be_all_of(&opened, &told, counters),
            Err(error) => {
                assert!(error.is_damage(), "{told}: {error}");
                counters.count(Sometimes::RotRefused);
            }
        }
    }
}

fn open(files: &Files, options: &Options) -> Result<Opened, orden::store::Error> {
    open_log(&SimulatedDisk::with_files(files), options)
}

impl Truth {
    fn of(opened: &Opened) -> Self {
        let mut reader = opened.log.reader();
        let (oldest, end) = (opened.log.oldest(), opened.recovered.next);
        let mut messages = Vec::new();
        let mut at = oldest;
        while at < end {
            let chunk = reader.read(at).unwrap();
            messages.extend(chunk.records().map(|record| Message::of_record(&record)));
            at = chunk.end();
        }
        let sessions = opened.recovered.sessions().collect();
        Self {
            oldest,
            messages,
            sessions,
        }
    }

    fn must_be_all_of(&self, opened: &Opened, told: &str, counters: &mut Counters) {
        let end = self.oldest.plus(self.messages.len() as u64);
        assert_eq!(opened.recovered.next, end, "{told}");
        assert_eq!(opened.log.oldest(), self.oldest, "{told}");
        let sessions: Vec<_> = opened.recovered.sessions().collect();
        assert_eq!(sessions, self.sessions, "{told}");
        let mut reader = opened.log.reader();
        let mut at = self.oldest;
        while at < end {
            let chunk = match reader.read(at) {
                Ok(chunk) => chunk,
                Err(error) => {
                    assert!(error.is_damage(), "{told}: {error}");
                    return counters.count(Sometimes::RotFoundByReading);
                }
            };
            for record in chunk.records() {
                let place = usize::try_from(record.order.since(self.oldest)).unwrap();
                assert_eq!(Message::of_record(&record), self.messages[place], "{told}");
            }
            at = chunk.end();
        }
    }
}
