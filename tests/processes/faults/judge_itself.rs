//! The judge is judged: each broken promise must be found, under its name.

use crate::faults::history::Event;
use crate::faults::judge::{Account, Entry, Evidence, Kind};

/// Ana says 1 and 2, ben 1; both see all of it.
fn good() -> Evidence {
    let entry = |order, sender: &str, sequence, is_notice| Entry {
        order,
        sender: sender.to_owned(),
        sequence,
        digest: 100 + order,
        rendered: 200 + order,
        is_notice,
    };
    let log = vec![
        entry(0, "Server", 0, true),
        entry(1, "ana", 1, false),
        entry(2, "ben", 1, false),
        entry(3, "ana", 2, false),
    ];
    let sent = |sequence, digest, at, after| Event::Sent {
        sequence,
        digest,
        at,
        after,
    };
    let confirmed = |sequence, order, at| Event::Confirmed {
        sequence,
        count: 1,
        order,
        at,
    };
    let delivered = |order| Event::Delivered {
        order,
        digest: 100 + order,
    };
    let began = Event::Began {
        begin: 1,
        log_id: 7,
        at: 1,
    };
    let account = |name: &str, own: Vec<Event>| Account {
        name: name.to_owned(),
        kind: Kind::Native,
        events: [vec![began], own, (1..4).map(delivered).collect()].concat(),
    };
    let ana = vec![
        sent(1, 101, 10, 1),
        confirmed(1, 1, 20),
        sent(2, 103, 30, 1),
        confirmed(2, 3, 50),
    ];
    let ben = vec![sent(1, 102, 25, 1), confirmed(1, 2, 40)];
    Evidence {
        log,
        accounts: vec![account("ana", ana), account("ben", ben)],
        floors: [("ana".to_owned(), 4), ("ben".to_owned(), 3)].into(),
    }
}

#[test]
fn kept_promises_are_no_complaint() {
    let verdict = good().judge();
    assert_eq!(verdict.complaints, [""; 0]);
    assert_eq!((verdict.messages, verdict.deliveries), (4, 6));
}

#[track_caller]
fn found(property: &str, spoil: impl FnOnce(&mut Evidence)) {
    let mut evidence = good();
    spoil(&mut evidence);
    let complaints = evidence.judge().complaints;
    let named = |complaint: &String| complaint.starts_with(&format!("{property}:"));
    assert!(complaints.iter().any(named), "{property}: {complaints:?}");
}

#[test]
fn broken_promises_are_found() {
    found("P1", |all| all.log[2].digest = 9);
    found("P2", |all| {
        let again = *all.accounts[0].events.last().expect("a delivery");
        all.accounts[0].events.push(again);
    });
    found("P3", |all| {
        all.accounts[1].events[4] = Event::Delivered {
            order: 2,
            digest: 103,
        };
    });
    found("P4", |all| {
        all.accounts[1].events.remove(4);
    });
    found("P5", |all| all.log[3].order = 4);
    found("P6", |all| {
        all.log.pop();
    });
    found("P7", |all| all.log.swap(2, 3));
    found("P9", |all| {
        all.accounts[1].events.pop();
    });
    found("P9", |all| {
        all.accounts[1].events.remove(2);
    });
    found("P10", |all| all.log[1].sequence = 2);
    found("P11", |all| {
        all.accounts[0].events[1] = Event::Sent {
            sequence: 1,
            digest: 101,
            at: 10,
            after: 2,
        };
    });
    found("P11", |all| {
        all.accounts[0].events[2] = Event::Confirmed {
            sequence: 1,
            count: 1,
            order: 1,
            at: 5,
        };
        all.accounts[1].events[2] = Event::Confirmed {
            sequence: 1,
            count: 1,
            order: 2,
            at: 6,
        };
    });
    found("P12", |all| all.log[3].sequence = 1);
    found("P13", |all| {
        all.floors.insert("ben".to_owned(), 5);
    });
    found("P14", |all| {
        let resumed = Event::Began {
            begin: 3,
            log_id: 7,
            at: 60,
        };
        all.accounts[1].events.insert(4, resumed);
    });
}
