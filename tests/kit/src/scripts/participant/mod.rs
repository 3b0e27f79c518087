//! The language of the scripts for the client's machine.
//!
//! ```text
//!  from START                  where deliveries begin, before anything else: now · beginning ·
//!                                at N · last N · resume N; behind it perhaps `log=ID epoch=N`
//!  known                       a name that the broker does not know is refused
//!  by-application              the application acknowledges
//!  publish-only                no deliveries are wanted
//!  life 7                      it may meet several brokers
//!  numbering 1                 the first message gets this client sequence
//!  limits ack-messages=3 …     see core::participant::Limits for the names
//!  connected, disconnected     the connection is there, or gone
//!  unreachable                 it could not be made; behind it perhaps `key`: ours is refused,
//!                                or `hung-up`
//!  welcome new begin=3 last=0  the broker's answer; also: back · end=N · log=ID · epoch=N ·
//!                                window=N · largest=N
//!  messages 3-5                the broker sends these; behind it perhaps `bytes=N`: of each
//!  confirm #1-3 as 5, #4 as 9  the broker confirms
//!  refuse CODE DETAIL          the broker refuses
//!  ping, pong, goodbye         the broker says so
//!  frame HEX                   the broker says something else
//!  publish A, B                the application publishes
//!  process 5                   the application has processed everything up to 5
//!  flush                       … and wants that acknowledged at once
//!  leave, away                 the application goes
//!  busy, ready                 the socket takes nothing; it does again
//!  together … end              frames are asked for only at the end
//!  wait 500ms                  time passes
//! ```
//! What happens: `> ` before what is sent, `delivered` for what is handed out, and events.

mod scene;

use std::time::Duration;

use orden::core::participant::{Acknowledging, Input, Limits, Numbering, Obstacle, Unknown};
use orden::wire::native::{self, Goodbye, Start};
use orden::wire::reply::{self, Code, Refusal, Welcome};
use orden::wire::sessions::SequenceRun;
use orden::wire::{ClientSequence, Epoch, LogId, OrderNumber};

use self::scene::{LOG_ID, Scene, batch};
use crate::scripts;

/// Runs a script.
pub fn check(folder: &str, name: &str) {
    scripts::check(folder, name, &mut Scene::new());
}

impl scripts::Scene for Scene {
    fn run(&mut self, line: &str) {
        run(self, line);
    }

    fn take_said(&mut self) -> String {
        self.take_said()
    }
}

fn run(scene: &mut Scene, line: &str) {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    match verb {
        "from" => from(scene, rest),
        "by-application" => scene.set(|settings, _| {
            settings.acknowledging = Acknowledging::ByApplication;
        }),
        "life" => scene.set(|settings, _| settings.life = Some(number(rest))),
        "publish-only" => scene.set(|settings, _| settings.receive = false),
        "known" => scene.set(|settings, _| settings.unknown = Unknown::Refuse),
        "numbering" => {
            let first = ClientSequence(number(rest));
            scene.set(|settings, _| settings.numbering = Numbering::From(first));
        }
        "limits" => scene.set(|_, limits| {
            for setting in rest.split(' ') {
                let (key, value) = setting.split_once('=').unwrap();
                set(limits, key, value);
            }
        }),
        "connected" => scene.step(Input::Connected),
        "disconnected" => scene.step(Input::Disconnected),
        "unreachable" if rest == "key" => scene.step(Input::Unreachable(Obstacle::KeyRefused)),
        "unreachable" if rest == "hung-up" => scene.step(Input::Unreachable(Obstacle::HungUp)),
        "unreachable" => scene.step(Input::Unreachable(Obstacle::NobodyThere)),
        "welcome" => scene.hear(&welcome(rest).encode()),
        "messages" => scene.hear(&messages(rest)),
        "confirm" => {
            let runs: Vec<_> = rest.split(", ").map(sequence_run).collect();
            scene.hear(&reply::confirm(&runs));
        }
        "refuse" => refuse(scene, rest),
        "ping" => scene.hear(&native::ping()),
        "pong" => scene.hear(&native::pong()),
        "goodbye" => scene.hear(&Goodbye::Away.encode()),
        "frame" => scene.hear(&hexadecimal(rest)),
        "publish" => {
            for text in rest.split(", ") {
                scene.publish(text.as_bytes());
            }
            scene.settle();
        }
        "process" => scene.process(OrderNumber(number(rest))),
        "flush" => scene.flush(),
        "leave" => scene.leave(Goodbye::Leave),
        "away" => scene.leave(Goodbye::Away),
        "busy" => scene.set_busy(true),
        "ready" => scene.set_busy(false),
        "together" => scene.together(),
        "end" => scene.end(),
        "wait" => scene.wait(duration(rest)),
        _ => panic!("no such command: {line}"),
    }
}

fn from(scene: &mut Scene, rest: &str) {
    let words: Vec<_> = rest.split(' ').collect();
    let (start, options) = match words[..] {
        ["now", ref rest @ ..] => (Start::Now, rest),
        ["beginning", ref rest @ ..] => (Start::Beginning, rest),
        ["at", at, ref rest @ ..] => (Start::At(OrderNumber(number(at))), rest),
        ["last", count, ref rest @ ..] => (Start::Last(number(count)), rest),
        ["resume", at, ref rest @ ..] => (Start::Resume(OrderNumber(number(at))), rest),
        _ => panic!("from {rest}: where is that?"),
    };
    let option = |key: &str| {
        let found = options.iter().find_map(|option| option.strip_prefix(key));
        found.map_or(0, number)
    };
    scene.set(|settings, _| {
        settings.start = start;
        settings.log_id = LogId(option("log="));
        settings.epoch = Epoch(u32::try_from(option("epoch=")).unwrap());
    });
}

fn welcome(rest: &str) -> Welcome {
    let mut welcome = Welcome {
        resumed: false,
        epoch: Epoch(1),
        log_id: LOG_ID,
        begin: OrderNumber(0),
        end: OrderNumber(0),
        last_sequence: ClientSequence(0),
        publish_window: 8192,
        largest_message: 4 << 20,
    };
    for word in rest.split(' ') {
        match word.split_once('=') {
            None => welcome.resumed = word == "back",
            Some(("begin", value)) => welcome.begin.0 = number(value),
            Some(("end", value)) => welcome.end.0 = number(value),
            Some(("last", value)) => welcome.last_sequence.0 = number(value),
            Some(("log", value)) => welcome.log_id.0 = number(value),
            Some(("epoch", value)) => welcome.epoch.0 = number(value),
            Some(("window", value)) => welcome.publish_window = number(value),
            Some(("largest", value)) => welcome.largest_message = number(value),
            Some(_) => panic!("a welcome has no {word}"),
        }
    }
    welcome
}

/// `3-5`, and perhaps how long each is.
fn messages(rest: &str) -> Vec<u8> {
    let (numbers, length) = rest.split_once(" bytes=").unwrap_or((rest, "4"));
    let (first, last) = range(numbers);
    batch(LOG_ID, first, last, number(length))
}

/// `#1-3 as 5`: from 5 on.
fn sequence_run(text: &str) -> SequenceRun {
    let (sequences, order) = text.strip_prefix('#').unwrap().split_once(" as ").unwrap();
    let (first, last) = range(sequences);
    SequenceRun {
        sequence: ClientSequence(first),
        order: OrderNumber(number(order)),
        count: u32::try_from(last - first + 1).unwrap(),
    }
}

fn refuse(scene: &mut Scene, rest: &str) {
    let (name, detail) = rest.split_once(' ').unwrap();
    let code = Code::ALL.iter().find(|code| code.name() == name);
    let refusal = Refusal {
        code: *code.unwrap(),
        detail: number(detail),
        text: "because",
    };
    scene.hear(&refusal.encode());
}

/// Sets a limit, which the scripts write with hyphens.
fn set(limits: &mut Limits, key: &str, value: &str) {
    match key {
        "ack-bytes" => limits.ack_bytes = number(value),
        "ack-frames" => limits.ack_frames = number(value),
        "ack-messages" => limits.ack_messages = number(value),
        "frame-bytes" => limits.frame_bytes = number(value),
        "frame-messages" => limits.frame_messages = number(value),
        "unconfirmed-bytes" => limits.unconfirmed_bytes = number(value),
        _ => panic!("no such limit: {key}"),
    }
}

fn range(text: &str) -> (u64, u64) {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    (number(first), number(last))
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(digits: &str) -> T {
    digits.parse().unwrap()
}

fn duration(text: &str) -> Duration {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let count = number(&text[..text.len() - unit.len()]);
    match unit {
        "ms" => Duration::from_millis(count),
        "s" => Duration::from_secs(count),
        "m" => Duration::from_mins(count),
        _ => panic!("{text}: how long is that?"),
    }
}

fn hexadecimal(digits: &str) -> Vec<u8> {
    let pairs = digits.split_whitespace();
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}
