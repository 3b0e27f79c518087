//! Faults in a random rotation: every few seconds another handful, a quarter of the time none.

use std::time::Duration;

use rustix::process::Signal;

use crate::faults::crowd::Wanted;
use crate::faults::stage::{Cast, Stage, TWINS};
use orden_kit::clock::{now_us, pause, since_ms};
use orden_kit::proxy::{Way, Weather};
use orden_kit::random::Random;

/// A fault that lasts until everything is healed; some are over at once.
type Fault = (&'static str, fn(&mut Stage));

const FAULTS: &[Fault] = &[
    ("F3 the broker stands still", |stage| {
        stage.broker().program().signal(Signal::STOP);
        let moment = stage.random.below(3_000);
        pause(Duration::from_millis(moment));
        stage.broker().program().signal(Signal::CONT);
    }),
    ("F4 a member is dropped and starts again", |stage| {
        let name = somebody(stage);
        stage.crowd.want(&name, Wanted::Gone);
    }),
    ("F5 members stand still", |stage| {
        let name = somebody(stage);
        stage.crowd.want(&name, Wanted::Paused);
    }),
    ("F7 nothing passes", |stage| {
        weather(stage, |weather, _| {
            weather.up_held = true;
            weather.down_held = true;
        });
    }),
    ("F8 nothing passes one way", |stage| {
        weather(stage, |weather, random| {
            weather.up_held = random.one_in(2);
            weather.down_held = !weather.up_held;
        });
    }),
    ("F9 connections are reset", |stage| {
        let index = stage.random.index(stage.proxies.len());
        stage.proxies[index].reset();
    }),
    ("F10 half of a connection is closed", |stage| {
        let index = stage.random.index(stage.proxies.len());
        let ways = [Way::Up, Way::Down];
        let way = ways[stage.random.index(2)];
        stage.proxies[index].half_close(way);
    }),
    ("F11 connections are forgotten", |stage| {
        let index = stage.random.index(stage.proxies.len());
        stage.proxies[index].freeze();
    }),
    ("F13 a thin pipe", |stage| {
        weather(stage, |weather, random| {
            weather.bytes_per_second = Some(5_000 + random.below(200_000));
        });
    }),
    ("F14 a long pipe", |stage| {
        weather(stage, |weather, random| {
            weather.delay = Duration::from_millis(random.below(300));
        });
    }),
    ("F31 everybody comes back at once", |stage| {
        for proxy in &stage.proxies {
            proxy.reset();
        }
    }),
    ("duplicate names", |stage| {
        let name = Stage::name(stage.random.index(TWINS));
        stage.twins.want(&name, Wanted::Running);
    }),
];

/// Those after which the broker is another process.
const RESTARTS: &[Fault] = &[
    ("F1 kill -9 of the broker", |stage| {
        stage.kill_broker();
        stage.start_broker();
    }),
    ("F6 SIGTERM under load", |stage| {
        stage.broker.take().expect("it runs").finish();
        stage.start_broker();
    }),
];

/// What becomes of the broker's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restarts {
    Allowed,
    /// One process lives through it all, so that what it uses can be compared.
    None,
}

fn somebody(stage: &mut Stage) -> String {
    Stage::name(stage.random.index(stage.cast.natives))
}

fn weather(stage: &mut Stage, change: impl FnOnce(&mut Weather, &mut Random)) {
    let mut weather = Weather::default();
    change(&mut weather, &mut stage.random);
    let index = stage.random.index(stage.proxies.len());
    stage.proxies[index].set_weather(weather);
}

/// Goes on for so long; `look` sees the stage after each period.
pub(crate) fn torment(
    stage: &mut Stage,
    duration: Duration,
    period: Duration,
    restarts: Restarts,
    mut look: impl FnMut(&mut Stage),
) {
    let begun = now_us();
    let restarting = match restarts {
        Restarts::Allowed => RESTARTS,
        Restarts::None => &[],
    };
    let possible = [FAULTS, restarting].concat();
    let (duration_ms, period_ms) = (milliseconds(duration), milliseconds(period));
    while since_ms(begun) < duration_ms {
        let lasts = Duration::from_millis(period_ms / 2 + stage.random.below(period_ms));
        if stage.random.one_in(4) {
            println!("no faults for {lasts:?}");
            pause(lasts);
        } else {
            let count = 1 + stage.random.below(3);
            let faults: Vec<_> = (0..count)
                .map(|_| possible[stage.random.index(possible.len())])
                .collect();
            let names: Vec<_> = faults.iter().map(|(name, _)| *name).collect();
            stage.faults(&names, |stage| {
                for (_, inject) in faults {
                    inject(stage);
                }
                pause(lasts);
            });
        }
        look(stage);
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[test]
fn faults_come_in_random_rotation() {
    let mut stage = Stage::set(Cast {
        natives: 10,
        proxies: 3,
        ..Cast::default()
    });
    torment(
        &mut stage,
        Duration::from_secs(25),
        Duration::from_secs(2),
        Restarts::Allowed,
        |_| {},
    );
    stage.finish();
}
