//! What operators do under load: connections are ended, sessions, the whole broker; it reads anew
//! what it can. Nobody who stays loses anything, and who is ended has what was confirmed.

use std::fs;
use std::process::Command;

use crate::faults::crowd::{Crowd, Wanted};
use crate::faults::member::Kind;
use crate::faults::stage::{Cast, HEALED, Stage};
use orden_kit::clock::until;
use orden_kit::programs::broker::{command, run};

fn operate(stage: &mut Stage, words: &[&str]) -> Command {
    let mut operate = command();
    operate.args(words).arg("--data").arg(stage.broker().data());
    operate
}

#[track_caller]
fn done(stage: &mut Stage, words: &[&str]) {
    let end = run(&mut operate(stage, words));
    assert!(end.success(), "{words:?}: {}", end.complaint);
}

#[test]
fn members_are_kicked_and_files_read_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    let (log, data) = (directory.path().join("said"), directory.path().join("log"));
    let cast = Cast {
        flags: format!("--away-after 3 --ping-after 1 --log-file {}", log.display()),
        ..Cast::default()
    };
    let mut stage = Stage::set_on(cast, directory, &data);
    for round in 0..4 {
        stage.fault("an operator kicks members and reloads", |stage| {
            for name in [&*Stage::name(round), &Stage::name(round + 1), "bin", "json"] {
                done(stage, &["kick", name]);
            }
            fs::rename(&log, log.with_extension("old")).expect("it is there");
            done(stage, &["reload"]);
            assert!(log.exists(), "opened anew");
        });
    }
    assert!(stage.crowd.kicked() >= 8, "{}", stage.crowd.kicked());
    stage.finish();
}

#[test]
fn sessions_are_ended() {
    let mut stage = Stage::set(Cast::default());
    for round in 0..3 {
        let name = format!("guest{round}");
        let plan = stage.one_more(&name, Kind::Passing);
        let address = stage.proxies[1].address().to_string();
        let seat = (address.parse().expect("an address"), plan);
        let guest = Crowd::start(vec![seat], Wanted::Running);
        let speaks = || {
            guest
                .positions()
                .get(&name)
                .is_some_and(|at| at.confirmed > 20)
        };
        assert!(until(HEALED, speaks), "{name} is not served");
        stage.fault("an operator ends a session", |stage| {
            done(stage, &["end", &name]);
            assert!(until(HEALED, || guest.is_over(&name)), "{name} is not told");
        });
    }
    stage.finish();
}

#[test]
fn the_broker_is_drained_under_load() {
    let mut stage = Stage::set(Cast::default());
    for _ in 0..3 {
        stage.fault("an operator drains the broker", |stage| {
            done(stage, &["drain", "--patience", "25"]);
            let (end, _) = stage.broker.take().expect("it runs").end();
            assert_eq!(end.code(), Some(0), "{}", end.complaint);
            // It has waited for all of them, and not for its patience to end.
            assert!(end.complaint.contains("drained"), "{}", end.complaint);
        });
    }
    stage.finish();
}
