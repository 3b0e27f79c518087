//! The log, read when everything is over: into the history, and against what was confirmed.

use std::collections::HashMap;
use std::path::Path;

use orden::wire::record::Flags;

use crate::crash::crew::Crew;
use crate::crash::history::of_record;
use orden_kit::checker::history::Event;
use orden_kit::whole_log;

/// What has come out, counted apart from the checker.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) confirmed: u64,
    pub(crate) deliveries: u64,
    /// Confirmed, and not in the log under the number that was told.
    pub(crate) lost: u64,
    /// Under more than one number in the log.
    pub(crate) duplicated: u64,
}

/// Adds the log to the history, and how everybody should be.
pub(crate) fn audit(directory: &Path, crew: &mut Crew) -> Outcome {
    let mut outcome = Outcome::default();
    let mut places: HashMap<(String, u64), u64> = HashMap::new();
    let mut log = Vec::new();
    let recovered = whole_log::read(directory, |record| {
        let message = of_record(record);
        let sender = message.sender.clone().unwrap_or_default();
        if let Some(sequence) = message.sequence {
            let before = places.insert((sender, sequence), message.order);
            outcome.duplicated += u64::from(before.is_some());
        }
        let is_notice = record.flags.has(Flags::NOTICE);
        let notice = is_notice.then(|| String::from_utf8_lossy(record.payload).into_owned());
        log.push(Event::Log { message, notice });
    });
    for event in crew.history.events() {
        match event {
            Event::Confirm {
                who,
                sequence,
                order,
            } => {
                outcome.confirmed += 1;
                let place = places.get(&(who.clone(), *sequence));
                outcome.lost += u64::from(place != Some(order));
            }
            Event::Deliver { .. } => outcome.deliveries += 1,
            _ => {}
        }
    }
    for event in log {
        crew.history.note(event);
    }
    crew.history.note(Event::LogEnd {
        oldest: recovered.oldest.0,
        next: recovered.next.0,
    });
    crew.settle();
    outcome
}
