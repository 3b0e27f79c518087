//! Processes that are killed, stopped and frozen.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use crate::faults::crowd::Wanted;
use crate::faults::stage::{Cast, Stage};
use orden_kit::clock::pause;

#[test]
fn the_broker_is_killed() {
    let mut stage = Stage::set(Cast::default());
    for _ in 0..5 {
        stage.fault("F1 kill -9 of the broker", |stage| {
            stage.kill_broker();
        });
        let moment = Duration::from_millis(stage.random.below(400));
        pause(moment);
    }
    stage.finish();
}

#[test]
fn the_broker_stands_still() {
    let mut stage = Stage::set(Cast::default());
    for seconds in [1, 4] {
        stage.fault("F3 the broker stands still", |stage| {
            stage.broker().program().signal(Signal::STOP);
            pause(Duration::from_secs(seconds));
            stage.broker().program().signal(Signal::CONT);
        });
    }
    stage.finish();
}

#[test]
fn members_are_dropped_and_stand_still() {
    let mut stage = Stage::set(Cast::default());
    for round in 0..4 {
        stage.fault("F4 a member is dropped and starts again", |stage| {
            let name = Stage::name(round);
            stage.crowd.want(&name, Wanted::Gone);
            pause(Duration::from_millis(300));
        });
    }
    stage.fault("F5 members stand still", |stage| {
        stage.crowd.want(&Stage::name(1), Wanted::Paused);
        stage.crowd.want(&Stage::name(2), Wanted::Paused);
        pause(Duration::from_secs(5));
    });
    stage.finish();
}

#[test]
fn the_broker_is_told_to_stop_under_load() {
    let mut stage = Stage::set(Cast::default());
    for _ in 0..3 {
        stage.fault("F6 SIGTERM under load", |stage| {
            stage.broker.take().expect("it runs").finish();
        });
    }
    stage.finish();
}

#[test]
fn names_are_used_twice() {
    let mut stage = Stage::set(Cast::default());
    for _ in 0..3 {
        stage.fault("duplicate names", |stage| {
            for index in 0..2 {
                stage.twins.want(&Stage::name(index), Wanted::Running);
            }
            pause(Duration::from_millis(1500));
        });
    }
    assert!(stage.crowd.superseded() > 0 && stage.twins.superseded() > 0);
    stage.finish();
}

/// Kills while the log goes from file to file, and with what is confirmed before it is synced:
/// a process that is killed takes nothing along that was written.
#[test]
fn the_broker_is_killed_between_segments() {
    for sync in ["always", "20"] {
        let small = "--segment-bytes 6291456 --max-message-bytes 70000 --sync";
        let mut stage = Stage::set(Cast {
            flags: format!("{small} {sync}"),
            natives: 4,
            every: Duration::from_millis(2),
            bytes: 20_000,
            ..Cast::default()
        });
        for _ in 0..6 {
            stage.fault("F2 kill -9 while segments are begun", |stage| {
                stage.kill_broker();
            });
            let moment = Duration::from_millis(stage.random.below(1000));
            pause(moment);
        }
        stage.finish();
    }
}

/// The wall clock steps for hours, years, back and forth; nothing but the times in the log may
/// follow. The library that makes up the time belongs to the system, and may not be there.
#[test]
fn the_wall_clock_steps() {
    let places = ["x86_64-linux-gnu", "aarch64-linux-gnu"];
    let library = places.map(|place| format!("/usr/lib/{place}/faketime/libfaketimeMT.so.1"));
    let Some(library) = library.into_iter().find(|path| Path::new(path).exists()) else {
        println!("skipped: libfaketime is not there");
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let (clock, data) = (directory.path().join("clock"), directory.path().join("log"));
    let set = |time: &str| std::fs::write(&clock, time).expect("space");
    set("+0");
    let environment = vec![
        ("LD_PRELOAD", library.into()),
        ("FAKETIME_TIMESTAMP_FILE", clock.clone()),
        ("FAKETIME_NO_CACHE", "1".into()),
        ("DONT_FAKE_MONOTONIC", "1".into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
    ];
    let cast = Cast {
        environment,
        flags: "--ping-after 1 --away-after 3 --session-timeout 60".to_owned(),
        ..Cast::default()
    };
    let mut stage = Stage::set_on(cast, directory, &data);
    for step in ["+1h", "-1h", "+10y", "-10y", "+80y", "+0"] {
        stage.fault("F28 the wall clock steps", |stage| {
            set(step);
            pause(Duration::from_millis(600));
            if stage.random.one_in(2) {
                stage.kill_broker();
            }
        });
    }
    stage.finish();
}
