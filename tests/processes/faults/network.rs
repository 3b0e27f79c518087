//! Networks that lose, hold, cut and forget.

use std::collections::VecDeque;
use std::time::Duration;

use orden::client::{Clock, Context};

use crate::faults::member::{Kind, Member, Place};
use crate::faults::stage::{Cast, Stage};
use orden_kit::PATIENCE;
use orden_kit::clock::{pause, until};
use orden_kit::proxy::{Cut, Way, Weather};

fn held(up_held: bool, down_held: bool) -> Weather {
    Weather {
        up_held,
        down_held,
        ..Weather::default()
    }
}

#[test]
fn nothing_passes_for_a_while() {
    let mut stage = Stage::set(Cast::default());
    let holes = [
        ("F7 nothing passes", true, true),
        ("F8 nothing passes to the broker", true, false),
        ("F8 nothing passes to members", false, true),
    ];
    for (what, up, down) in holes {
        for seconds in [1, 4] {
            stage.fault(what, |stage| {
                stage.proxies[0].set_weather(held(up, down));
                pause(Duration::from_secs(seconds));
            });
        }
    }
    stage.finish();
}

#[test]
fn connections_end_in_every_way() {
    let mut stage = Stage::set(Cast::default());
    for _ in 0..3 {
        stage.fault("F9 connections are reset", |stage| {
            stage.proxies[0].reset();
        });
        stage.fault("F10 half of a connection is closed", |stage| {
            stage.proxies[0].half_close(Way::Up);
            stage.proxies[1].half_close(Way::Down);
        });
        stage.fault("F11 connections are forgotten", |stage| {
            stage.proxies[0].freeze();
        });
    }
    stage.finish();
}

#[test]
fn connections_are_cut_again_and_again() {
    let mut stage = Stage::set(Cast::default());
    stage.fault("F12 connections are cut at random", |stage| {
        for _ in 0..40 {
            let index = stage.random.index(2);
            if stage.random.one_in(2) {
                stage.proxies[index].close();
            } else {
                stage.proxies[index].reset();
            }
            let moment = stage.random.below(200);
            pause(Duration::from_millis(moment));
        }
    });
    stage.finish();
}

#[test]
fn pipes_are_long_and_thin() {
    let mut stage = Stage::set(Cast::default());
    stage.fault("F13 a thin pipe", |stage| {
        stage.proxies[0].set_weather(Weather {
            bytes_per_second: Some(20_000),
            ..Weather::default()
        });
        pause(Duration::from_secs(3));
    });
    stage.fault("F14 a long pipe", |stage| {
        stage.proxies[0].set_weather(Weather {
            delay: Duration::from_millis(150),
            ..Weather::default()
        });
        pause(Duration::from_secs(3));
    });
    stage.finish();
}

/// How long a member whose stream is cut gets to notice.
const BRIEF: usize = 8;

/// Starts a member, says something, and is gone; its stream ends after `cut`.
fn come_and_go(
    stage: &mut Stage,
    place: &Place,
    cut: Cut,
    clock: Clock,
    brief: &mut VecDeque<Member>,
) {
    let before = stage.proxies[1].accepted();
    stage.proxies[1].set_cut(Some(cut));
    let name = format!("{:?}-{}", cut.way, cut.bytes);
    let mut plan = stage.one_more(&name, Kind::Passing);
    plan.every = Some(Duration::ZERO);
    brief.push_back(Member::start(place, &plan));
    let came = until(PATIENCE, || {
        for member in &mut *brief {
            member.turn(clock.now(), member.position.sent > 3);
        }
        stage.proxies[1].accepted() > before
    });
    assert!(came, "seed {}: {cut:?}: nobody comes", stage.seed);
    if brief.len() > BRIEF {
        brief.pop_front();
    }
}

/// Every place a stream can end in. Of what a member says, nothing in part is ordered; and a
/// connection that ends stops no other: libzmq's thread once waited for ever to tell somebody
/// who was gone that a connection was, too.
///
/// A greeting has 64 bytes, a READY command some 40, a hello and its welcome some more: a stream
/// is cut after each of them, then here and there in the first frames.
#[test]
fn streams_end_after_any_byte() {
    let mut stage = Stage::set(Cast {
        natives: 2,
        ..Cast::default()
    });
    let address = stage.proxies[1].address().to_string();
    let place = Place {
        context: Context::new(),
        address: address.parse().expect("an address"),
    };
    let clock = Clock::start();
    for way in [Way::Up, Way::Down] {
        stage.fault("F15 streams end after any byte", |stage| {
            let mut brief = VecDeque::new();
            for bytes in (0..240).chain((240..1600).step_by(40)) {
                come_and_go(stage, &place, Cut { way, bytes }, clock, &mut brief);
            }
        });
    }
    stage.finish();
}
