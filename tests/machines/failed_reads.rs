//! Reads of the log that fail for want of something: a member that is behind waits for them, and
//! for nobody else.

use std::time::Duration;

use orden::core::{Input, Limits, LoadError, Now, Ready, Recovered, Seed, Sequencer, Time};
use orden::wire::native::{Hello, Start};
use orden::wire::{LogId, OrderNumber};
use orden_kit::words::{hello, packet};

/// Messages that were ordered before the machine was started.
const BEFORE: OrderNumber = OrderNumber(100);

fn settle(machine: &mut Sequencer, now: Now) -> Ready {
    let writes = machine.writes(now);
    machine.step(now, Input::Committed(writes.index));
    machine.ready(now)
}

#[test]
fn what_could_not_be_read_is_asked_for_again_although_nothing_else_happens() {
    let mut now = Now::default();
    let mut recovered = Recovered::nothing(LogId(1), 0);
    recovered.next = BEFORE;
    let mut machine = Sequencer::new(now, Limits::default(), recovered, Seed::default());
    let hello = Hello {
        start: Start::Beginning,
        ..hello(b"ana", true)
    };
    machine.step(now, packet(b"\0aaaa", &hello.encode()));
    let from = settle(&mut machine, now).loads[0];
    for _ in 0..5 {
        let result = Err(LoadError::Unreadable("too many open files".into()));
        machine.step(now, Input::Loaded { from, result });
        assert!(
            settle(&mut machine, now).loads.is_empty(),
            "not without a pause"
        );
        let again = loop {
            let due = machine.deadline().expect("it is tried again");
            assert!(due.since(now.time) <= Duration::from_secs(30));
            now.time = due.max(Time(now.time.0 + 1));
            machine.step(now, Input::Tick);
            let ready = settle(&mut machine, now);
            if let Some(from) = ready.loads.first() {
                break *from;
            }
        };
        assert_eq!(again, from);
    }
}
