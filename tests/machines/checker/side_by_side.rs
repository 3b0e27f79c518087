//! The histories of real processes: each in a file of its own, put together by its times, judged,
//! and counted.

use std::path::PathBuf;

use orden_kit::checker::Property::{
    AckSoundness, Causality, Density, Durability, ExactlyOnce, Liveness, NoCreation, NoDuplication,
    NoGap, NoReuse, SenderOrder, TotalOrder,
};
use orden_kit::checker::file::{self, Followed, Position, Writer};
use orden_kit::checker::history::{Event, Moment};
use orden_kit::checker::outcome::Outcome;
use orden_kit::checker::{Property, check_stream};

use super::builders::{confirm, deliver, floor, log, open, send, settled, start};

/// Ana says 1 and 2, ben 1; both see all of it.
fn good() -> Vec<Event> {
    let mut events = vec![
        start("ana", None),
        open("ana", false, 1),
        start("ben", None),
        open("ben", false, 1),
        send("ana", 1, "uno"),
        confirm("ana", 1, 1),
        send("ben", 1, "dos"),
        confirm("ben", 1, 2),
        send("ana", 2, "tres"),
        confirm("ana", 2, 3),
    ];
    for who in ["ana", "ben"] {
        events.push(deliver(who, 1, "ana", Some(1), "uno"));
        events.push(deliver(who, 2, "ben", Some(1), "dos"));
        events.push(deliver(who, 3, "ana", Some(2), "tres"));
    }
    events.push(Event::Healed);
    events.extend(log(&["ana joined", "ana#1 uno", "ben#1 dos", "ana#2 tres"]));
    events.extend([floor("ana", 4), floor("ben", 3)]);
    events.extend([settled("ana"), settled("ben")]);
    events
}

fn judge(events: Vec<Event>) -> (Option<Property>, Outcome) {
    let outcome = Outcome::of(&events);
    let moments = (0..).zip(events).map(|(at, event)| Moment { at, event });
    let verdict = check_stream(moments);
    (verdict.err().map(|violation| violation.property), outcome)
}

#[test]
fn kept_promises_are_no_complaint() {
    let (broken, outcome) = judge(good());
    assert_eq!(broken, None);
    assert_eq!((outcome.messages, outcome.deliveries), (4, 6));
    assert_eq!(outcome.confirmed, 3);
    let wrong = (outcome.lost, outcome.duplicated, outcome.reordered);
    assert_eq!(wrong, (0, 0, 0));
}

/// Lost, duplicated and reordered.
type Counts = (u64, u64, u64);

#[track_caller]
fn found(property: Property, counts: Counts, spoil: impl FnOnce(&mut Vec<Event>)) {
    let mut events = good();
    spoil(&mut events);
    let (broken, outcome) = judge(events);
    assert_eq!(broken, Some(property));
    let counted = (outcome.lost, outcome.duplicated, outcome.reordered);
    assert_eq!(counted, counts);
}

/// Where the event is that looks like this.
fn place(events: &[Event], event: &Event) -> usize {
    let place = events.iter().position(|other| other == event);
    place.expect("it is one of the good history's")
}

fn replace(events: &mut [Event], event: &Event, by: Event) {
    let at = place(events, event);
    events[at] = by;
}

fn remove(events: &mut Vec<Event>, event: &Event) {
    events.remove(place(events, event));
}

#[test]
fn broken_promises_are_found() {
    let [uno, dos, tres] = [("uno", 1), ("dos", 2), ("tres", 3)].map(|(text, order)| {
        let (sender, sequence) = [("ana", 1), ("ben", 1), ("ana", 2)][order - 1];
        move |who: &str| deliver(who, order as u64, sender, Some(sequence), text)
    });
    found(NoCreation, (0, 0, 0), |all| {
        remove(all, &send("ben", 1, "dos"));
        remove(all, &confirm("ben", 1, 2));
    });
    found(NoDuplication, (0, 1, 0), |all| {
        let at = place(all, &tres("ana"));
        all.insert(at, dos("ana"));
    });
    found(TotalOrder, (0, 0, 1), |all| {
        let other = deliver("ben", 3, "ana", Some(2), "cuatro");
        replace(all, &tres("ben"), other);
    });
    found(NoGap, (1, 0, 0), |all| remove(all, &dos("ben")));
    // Resumes behind what it was given last.
    found(NoGap, (0, 0, 0), |all| {
        let at = place(all, &dos("ben"));
        all.splice(at..at, [start("ben", Some(2)), open("ben", true, 3)]);
    });
    let in_log = |all: &[Event], order| {
        let is_it = |event: &Event| matches!(event, Event::Log { .. }) && event.order() == order;
        all.iter().position(is_it).unwrap()
    };
    found(Density, (0, 0, 0), |all| {
        let at = in_log(all, Some(1));
        all.swap(at, at - 1);
    });
    // The log has lost its end: what was seen, and what was confirmed.
    let cut = |all: &mut Vec<Event>| {
        all.remove(in_log(all, Some(3)));
        let end = all
            .iter_mut()
            .find(|event| matches!(event, Event::LogEnd { .. }));
        *end.unwrap() = Event::LogEnd { oldest: 0, next: 3 };
    };
    found(Durability, (2, 0, 0), cut);
    found(NoReuse, (1, 0, 0), |all| {
        cut(all);
        remove(all, &confirm("ana", 2, 3));
    });
    found(Liveness, (0, 0, 0), |all| remove(all, &tres("ben")));
    found(Liveness, (0, 0, 0), |all| {
        remove(all, &confirm("ben", 1, 2));
    });
    found(SenderOrder, (0, 0, 0), |all| {
        all.retain(|event| matches!(event, Event::Send { .. }));
        all.extend(log(&["ana joined", "ana#2 tres", "ana#1 uno"]));
    });
    found(Causality, (0, 0, 0), |all| {
        // What is ordered first is sent when the last was confirmed already.
        let said = send("ben", 1, "dos");
        remove(all, &said);
        remove(all, &confirm("ben", 1, 2));
        let at = place(all, &confirm("ana", 2, 3));
        all.insert(at + 1, said);
    });
    found(ExactlyOnce, (0, 0, 0), |all| {
        all.truncate(place(all, &uno("ana")) + 1);
        all.push(deliver("ben", 4, "ana", Some(1), "uno"));
    });
    found(AckSoundness, (0, 0, 0), |all| {
        replace(all, &floor("ben", 3), floor("ben", 5));
    });
}

#[test]
fn histories_of_many_files_become_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = |who: &str| directory.path().join(who);
    let events = good();
    let told: Vec<Event> = events
        .into_iter()
        .filter(|event| event.who().is_some() && !matches!(event, Event::Settled { .. }))
        .collect();
    let mut files = ["ana", "ben"].map(|who| (who, Writer::open(&path(who))));
    for event in &told {
        for (who, file) in &mut files {
            if event.who() == Some(who) {
                file.note(event.clone());
                file.keep();
            }
        }
        // The next has another time, which is what they are put together by.
        orden_kit::clock::pause(std::time::Duration::from_micros(2));
    }
    let paths: Vec<PathBuf> = ["ana", "nobody", "ben"].map(path).into();
    let merged: Vec<Event> = file::merged(paths).map(|moment| moment.event).collect();
    assert_eq!(merged, told);
}

#[test]
fn a_history_goes_on_where_a_kill_has_cut_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ana");
    let mut writer = Writer::open(&path);
    writer.note(open("ana", false, 5));
    writer.note(send("ana", 1, "uno"));
    writer.note(deliver("ana", 5, "ana", Some(1), "uno"));
    writer.keep();
    let whole = std::fs::read(&path).unwrap();
    let at_five = Position {
        next: Some((7, 5)),
        sent: 1,
        confirmed: 0,
    };
    let at_six = Position {
        next: Some((7, 6)),
        ..at_five
    };
    let mut followed = Followed::new(&path);
    std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    assert_eq!(followed.position(), at_five);
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(followed.position(), at_six);

    std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    file::mend(&path);
    let mut writer = Writer::open(&path);
    writer.note(confirm("ana", 1, 5));
    writer.keep();
    let mended = Position {
        confirmed: 1,
        ..at_five
    };
    assert_eq!(Position::read(&path), mended);
}
