//! What worlds do not show, as members say again what was lost and all goes on: seats
//! that were left, brokers that have spoken after all, and records that come late. A story of its
//! own, in records of two brokers.

use orden::core::replica::{Scribe, found};
use orden::core::{Input, Limits, Now, Recovered, Sequencer, Time};
use orden::wire::native::{self, PublishFrame};
use orden::wire::stream_record::{Proposal, Sitter};
use orden::wire::{ClientMessage, ClientSequence, Dialect, LogId, Name, Position, Writer};
use orden_kit::words::founding;

const ORDER: LogId = LogId(1);

/// A broker that only reads, and the records that it has read.
struct Reader {
    machine: Sequencer,
    position: u64,
}

impl Reader {
    fn begin() -> Self {
        let (now, log) = (Now::default(), Recovered::nothing(ORDER, 1));
        let machine = Sequencer::new(now, Limits::default(), log, [0; 32]);
        let mut reader = Self {
            machine: machine.among(now, name("reader"), None),
            position: 0,
        };
        reader.read(&found(&founding(ORDER)));
        reader
    }

    fn read(&mut self, record: &[u8]) {
        self.position += 1;
        let position = Position(self.position);
        let ordered = Input::Ordered { position, record };
        self.machine.step(Now::default(), ordered);
    }

    /// Reads what a broker proposes.
    fn hear(&mut self, scribe: &mut Scribe, proposal: &Proposal<'_>) {
        scribe.propose(proposal);
        for append in scribe.flush(0, (Position(0), 0)) {
            self.read(&append.record);
        }
    }
}

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

fn open(broker: &str) -> Proposal<'static> {
    Proposal::Open {
        broker: name(broker),
        after: Writer(0),
        level: 1,
    }
}

fn sit(attempt: u32) -> Proposal<'static> {
    Proposal::Sit(Sitter {
        seat: 1,
        life: 7,
        attempt,
        name: name("ana"),
        dialect: Dialect::Native,
        delimited: false,
        transient: false,
        owned: false,
        start: None,
        key: None,
    })
}

/// Ana moves from one broker to another; what the first one says for her then does not count. And
/// a broker that has spoken since it was missed is not gone.
pub(crate) fn check() -> Result<(), String> {
    let mut reader = Reader::begin();
    let mut first = Scribe::new(ORDER, Writer(1), Time(0), 1);
    let mut second = Scribe::new(ORDER, Writer(2), Time(0), 1);
    reader.hear(&mut first, &open("first"));
    reader.hear(&mut second, &open("second"));
    reader.hear(&mut first, &sit(1));
    reader.hear(&mut second, &sit(2));
    let before = reader.machine.next_order();
    let mut frame = PublishFrame::new(ClientSequence(1));
    frame.push(b"said at a seat that was left");
    let frame = frame.finish();
    let Ok(ClientMessage::Publish(publish)) = native::decode(&frame) else {
        return Err("a publish frame cannot be read".into());
    };
    reader.hear(&mut first, &Proposal::Publish { seat: 1, publish });
    if reader.machine.next_order() != before {
        return Err("P20: what was said from a seat that was left is ordered".into());
    }
    let gone = Proposal::Gone {
        broker: name("first"),
        writer: Writer(1),
        last: 1,
    };
    reader.hear(&mut second, &gone);
    if reader.machine.brokers().count() != 2 {
        return Err("P20: a broker that has spoken since counts as gone".into());
    }
    what_comes_late_does_not_count(&mut reader)
}

/// A record behind one that is missing, and the first word of a process that another has followed.
fn what_comes_late_does_not_count(reader: &mut Reader) -> Result<(), String> {
    let skipped = |reader: &Reader, why: &str| {
        let refused = &reader.machine.counters().refused;
        refused.get(why).copied().unwrap_or(0)
    };
    let mut third = Scribe::new(ORDER, Writer(3), Time(0), 1);
    reader.hear(&mut third, &open("third"));
    third.propose(&Proposal::Away { seat: 1 });
    drop(third.flush(0, (Position(0), 0)));
    reader.hear(&mut third, &Proposal::Away { seat: 1 });
    if skipped(reader, "record_out_of_turn") != 1 {
        return Err("P20: a record behind one that is missing counts".into());
    }
    let mut fourth = Scribe::new(ORDER, Writer(4), Time(0), 1);
    reader.hear(&mut fourth, &open("third"));
    if skipped(reader, "record_fenced") != 1 {
        return Err("P20: a process serves under a name that belongs to another".into());
    }
    Ok(())
}
