//! Connections that their owner drives, many in one thread.

use orden::core::participant::Event;
use orden::wire::native::Goodbye;
use orden::wire::{ClientSequence, OrderNumber};

use super::stage::{Seen, Stage, named};

const MESSAGES: u64 = 20_000;

/// Publishes from every connection at once; returns what each has seen.
fn all_publish(stage: &Stage, names: &[&str]) -> Vec<Vec<(OrderNumber, Vec<u8>)>> {
    let mut connections: Vec<_> = names
        .iter()
        .map(|name| stage.connect(named(name)))
        .collect();
    let mut seen = vec![Vec::new(); names.len()];
    let mut published = vec![0; names.len()];
    let mut welcomed = 0;
    let of = |log: &[(OrderNumber, Vec<u8>)]| {
        let is_ours = |(_, text): &&(OrderNumber, Vec<u8>)| text.contains(&b'/');
        log.iter().filter(is_ours).count() as u64
    };
    loop {
        if welcomed == names.len() {
            for (index, connection) in connections.iter_mut().enumerate() {
                while published[index] < MESSAGES {
                    let text = format!("{}/{}", names[index], published[index]);
                    if connection.try_publish(text.as_bytes()).is_err() {
                        break;
                    }
                    published[index] += 1;
                }
                connection.pump(stage.clock.now()).unwrap();
            }
        }
        let everything = MESSAGES * names.len() as u64;
        let is_done = |log: &Vec<_>| of(log) == everything;
        if seen.iter().all(is_done) && connections.iter().all(|one| one.machine().is_done()) {
            return seen;
        }
        stage.round(&mut connections, |index, what| match what {
            Seen::Deliveries(deliveries) => {
                let records = deliveries.records().map(Result::unwrap);
                let texts = records.map(|record| (record.order, record.payload.to_vec()));
                seen[index].extend(texts);
            }
            Seen::Event(Event::Welcomed(_)) => welcomed += 1,
            Seen::Event(Event::Confirmed(_)) => {}
            Seen::Event(event) => panic!("{}: {event:?}", names[index]),
        });
    }
}

#[test]
fn everybody_sees_everything_in_one_order() {
    let stage = Stage::new();
    let seen = all_publish(&stage, &["ana", "ben", "eva"]);
    let last = |log: &[(OrderNumber, Vec<u8>)]| log.last().unwrap().0;
    for log in &seen {
        assert_eq!(last(log), last(&seen[0]));
        let first = log[0].0.0;
        let numbers = log.iter().map(|(order, _)| order.0);
        assert!(numbers.eq(first..first + log.len() as u64), "a gap");
        let shared = log.len().min(seen[0].len());
        assert_eq!(log[log.len() - shared..], seen[0][seen[0].len() - shared..]);
        for name in ["ana", "ben", "eva"] {
            let said = log
                .iter()
                .filter(|(_, text)| text.starts_with(name.as_bytes()));
            let said: Vec<_> = said.filter(|(_, text)| text.contains(&b'/')).collect();
            let mine = (0..MESSAGES).map(|number| format!("{name}/{number}").into_bytes());
            assert!(said.iter().map(|(_, text)| text.clone()).eq(mine));
        }
    }
}

#[test]
fn a_session_is_left_and_joined_anew() {
    let stage = Stage::new();
    for _ in 0..2 {
        let mut connections = [stage.connect(named("ana"))];
        let (mut is_welcome, mut is_confirmed, mut is_over) = (false, false, false);
        while !is_over {
            stage.round(&mut connections, |_, what| match what {
                Seen::Event(Event::Welcomed(welcome)) => {
                    assert!(!welcome.resumed);
                    assert_eq!(welcome.last_sequence, ClientSequence(0));
                    is_welcome = true;
                }
                Seen::Event(Event::Confirmed(run)) => is_confirmed = run.count == 1,
                Seen::Event(Event::Ended(_)) => is_over = true,
                _ => {}
            });
            if std::mem::take(&mut is_welcome) {
                connections[0].try_publish(b"hola").unwrap();
                connections[0].pump(stage.clock.now()).unwrap();
            }
            if std::mem::take(&mut is_confirmed) {
                connections[0].leave(Goodbye::Leave);
                connections[0].pump(stage.clock.now()).unwrap();
            }
        }
    }
}
