//! The language of the scenario scripts.
//!
//! ```text
//!  binary ana ack -1           a peer speaks; its routing id is `ana`. What it can say:
//!                                ack N · say TEXT · probe · frame HEX · excess HEX
//!  delimited binary ana …      the same behind an empty frame
//!  binary *1 …                 a peer whose routing id libzmq has made up
//!  json bob …                  the same, in JSON; also: text JSON
//!  raw 10.0.0.1:99 connect     a peer on plain TCP; also: ack N · say TEXT · bytes HEX ·
//!                                disconnect
//!  native carl hello START     START: now · beginning · at N · last N · resume N; behind it
//!                                perhaps `publish-only`, `log=ID` and
//!                                `attempt=LIFE.NUMBER`
//!  native carl@2 …             `carl` on another connection; `carl@*2`: its routing id is made up
//!  native carl publish 1 A, B  client sequences 1 and 2; also: ack N · ping · pong · leave ·
//!                                away · frame HEX · excess HEX
//!  wait 500ms                  time passes
//!  together … end              what the peers say in between is one batch
//!  limits window-frames=2 …    before the first peer; see core::Limits for the names
//!  full ana, gone ana          the socket does not take what is sent to it
//!  reachable ana               it does again
//!  room 100, room unlimited    bytes that the log can take
//!  trim 7                      the log lets go of batches before message 7
//!  stall, unstall              syncs do not end; they end after all
//!  crash, restart              the broker is killed; ends in good order; then it starts again
//!  crash surviving=1           the same, and the first unsynced write is on the disk nevertheless
//!  operator kick NAME          an operator ends a connection; also: end NAME, which ends a
//!                                session, and drain TIME
//!  status, counters            how far the members are; what was counted
//!  show sessions               what is written of sessions is shown from now on
//! ```
//! TEXT is what stands there, or in quotes with escapes (`"a\n\xff"`), perhaps repeated
//! (`"a"*5000`).

mod memory_log;
mod scene;
mod shown;

use std::time::Duration;

use orden::core::{Input, Instruction, Limits, Undelivered};
use orden::wire::native::{self, Attempt, Goodbye, Hello, PublishFrame, Start};
use orden::wire::{Acked, ClientSequence, LogId, Name, OrderNumber, binary, json};

use self::scene::Scene;
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
    let (verb, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    match verb {
        "binary" | "json" | "native" => zmq(scene, false, verb, rest),
        "delimited" => {
            let (dialect, rest) = rest.split_once(' ').unwrap();
            zmq(scene, true, dialect, rest);
        }
        "raw" => raw(scene, rest),
        "limits" => scene.limit(|limits| {
            for setting in rest.split(' ') {
                let (key, value) = setting.split_once('=').unwrap();
                set(limits, key, value);
            }
        }),
        "wait" => scene.wait(duration(rest)),
        "stopped" => scene.stop_for(duration(rest)),
        "together" => scene.together(),
        "end" => scene.settle(),
        "full" => scene.block(rest, Some(Undelivered::Full)),
        "gone" => scene.block(rest, Some(Undelivered::Gone)),
        "reachable" => scene.block(rest, None),
        "room" if rest == "unlimited" => scene.set_room(usize::MAX),
        "room" => scene.set_room(number(rest)),
        "trim" => scene.trim(number(rest)),
        "stall" => scene.stall(),
        "unstall" => scene.unstall(),
        "crash" if rest.is_empty() => scene.crash(0),
        "crash" => scene.crash(number(rest.strip_prefix("surviving=").unwrap())),
        "restart" => scene.restart(),
        "operator" => operator(scene, rest),
        "status" => scene.status(),
        "counters" => scene.counters(),
        "show" => scene.show_sessions(),
        _ => panic!("no such command: {line}"),
    }
}

fn operator(scene: &mut Scene, rest: &str) {
    let (verb, object) = rest.split_once(' ').unwrap();
    let name = || Name::new(&text(object)).unwrap();
    match verb {
        "kick" => scene.instruct(Instruction::Kick(name())),
        "end" => scene.instruct(Instruction::End(name())),
        "drain" => scene.instruct(Instruction::Drain(duration(object))),
        _ => panic!("an operator cannot {verb}"),
    }
}

fn zmq(scene: &mut Scene, delimited: bool, dialect: &str, rest: &str) {
    let (peer, rest) = rest.split_once(' ').unwrap();
    let (verb, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let frame = match (dialect, verb) {
        (_, "frame" | "excess") => hexadecimal(rest),
        ("json", "text") => rest.into(),
        (_, "probe") => Vec::new(),
        ("binary", "ack") => binary::encode_ack(acked(rest)).into(),
        ("json", "ack") => json::encode_ack(acked(rest)),
        ("native", _) => native_frame(peer, verb, rest),
        ("binary", "say") => binary_message(rest),
        ("json", "say") => {
            let mut frame = Vec::new();
            let parts: [&[u8]; 3] = [&text(rest), b"", b""];
            let fidelity = json::encode_message(OrderNumber(0), parts, &mut frame);
            assert_eq!(fidelity, orden::wire::rendering::Fidelity::Exact);
            frame
        }
        _ => panic!("a {dialect} peer cannot {verb}"),
    };
    let id = match peer.split_once('*') {
        Some((_, made_up)) => [&[0][..], &number::<u32>(made_up).to_be_bytes()].concat(),
        None => text(peer),
    };
    scene.packet(&id, delimited, &frame, verb == "excess");
}

fn native_frame(peer: &str, verb: &str, rest: &str) -> Vec<u8> {
    match verb {
        "hello" => {
            let name = peer.split('@').next().unwrap();
            hello(Name::new(name.as_bytes()).unwrap(), rest).encode()
        }
        "publish" => {
            let (first, payloads) = rest.split_once(' ').unwrap();
            let mut frame = PublishFrame::new(ClientSequence(number(first)));
            for payload in payloads.split(", ") {
                frame.push(&text(payload));
            }
            frame.finish()
        }
        "ack" => native::ack(OrderNumber(number(rest))),
        "ping" => native::ping(),
        "pong" => native::pong(),
        "leave" => Goodbye::Leave.encode(),
        "away" => Goodbye::Away.encode(),
        _ => panic!("a native peer cannot {verb}"),
    }
}

fn hello(name: Name, rest: &str) -> Hello {
    let words: Vec<_> = rest.split(' ').collect();
    let (start, options) = match words[..] {
        ["now", ref rest @ ..] => (Start::Now, rest),
        ["beginning", ref rest @ ..] => (Start::Beginning, rest),
        ["at", at, ref rest @ ..] => (Start::At(OrderNumber(number(at))), rest),
        ["last", count, ref rest @ ..] => (Start::Last(number(count)), rest),
        ["resume", at, ref rest @ ..] => (Start::Resume(OrderNumber(number(at))), rest),
        _ => panic!("hello {rest}: where are deliveries to begin?"),
    };
    let log_id = options
        .iter()
        .find_map(|option| option.strip_prefix("log="));
    let attempt = options
        .iter()
        .find_map(|option| option.strip_prefix("attempt="));
    Hello {
        name,
        start,
        receive: !options.contains(&"publish-only"),
        observe: options.contains(&"observe"),
        log_id: LogId(log_id.map_or(0, number)),
        attempt: attempt.map(|attempt| {
            let (life, nth) = attempt.split_once('.').expect("LIFE.NUMBER");
            Attempt {
                life: number(life),
                number: nth.parse().unwrap(),
            }
        }),
    }
}

fn raw(scene: &mut Scene, rest: &str) {
    let (peer, rest) = rest.split_once(' ').unwrap();
    let (verb, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let id = peer.as_bytes();
    let bytes = match verb {
        "connect" => return scene.step(Input::Connected { id, name: peer }),
        "disconnect" => return scene.step(Input::Disconnected { id }),
        "ack" => binary::encode_ack(acked(rest)).into(),
        "say" => binary_message(rest),
        "bytes" => hexadecimal(rest),
        _ => panic!("a raw peer cannot {verb}"),
    };
    scene.step(Input::Bytes { id, bytes: &bytes });
}

fn binary_message(payload: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    let parts: [&[u8]; 3] = [&text(payload), b"", b""];
    binary::encode_message(OrderNumber(0), parts, &mut frame);
    frame
}

fn acked(number: &str) -> Acked {
    match number {
        "-1" => Acked::Nothing,
        _ => Acked::UpTo(OrderNumber(self::number(number))),
    }
}

/// Sets a limit, which the scripts write with hyphens.
fn set(limits: &mut Limits, key: &str, value: &str) {
    match key {
        "message-bytes" => limits.message_bytes = number(value),
        "publish-window" => limits.publish_window = number(value),
        "window-frames" => limits.window_frames = number(value),
        "window-bytes" => limits.window_bytes = number(value),
        "tail-bytes" => limits.tail_bytes = number(value),
        "loaded-bytes" => limits.loaded_bytes = number(value),
        "members" => limits.members = number(value),
        "resend-after" => limits.resend_after = duration(value),
        "resend-after-most" => limits.resend_after_most = duration(value),
        "floors-every" => limits.floors_every = duration(value),
        "ping-after" => limits.ping_after = duration(value),
        "away-after" => limits.away_after = duration(value),
        "session-timeout" => limits.session_timeout = Some(duration(value)),
        _ => panic!("no such limit: {key}"),
    }
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
        "h" => Duration::from_hours(count),
        _ => panic!("{text}: how long is that?"),
    }
}

/// What stands there, or in quotes with escapes, perhaps repeated.
fn text(shown: &str) -> Vec<u8> {
    let Some(quoted) = shown.strip_prefix('"') else {
        return shown.into();
    };
    let (quoted, after) = quoted.rsplit_once('"').unwrap();
    let mut text = Vec::new();
    let mut rest = quoted;
    while let Some((before, escape)) = rest.split_once('\\') {
        text.extend_from_slice(before.as_bytes());
        let (byte, length) = match escape.as_bytes()[0] {
            b'n' => (b'\n', 1),
            b'x' => (u8::from_str_radix(&escape[1..3], 16).unwrap(), 3),
            other => (other, 1),
        };
        text.push(byte);
        rest = &escape[length..];
    }
    text.extend_from_slice(rest.as_bytes());
    text.repeat(after.strip_prefix('*').map_or(1, number))
}

/// Pairs of hexadecimal digits; `00*31` is such a pair 31 times.
fn hexadecimal(digits: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in digits.split_whitespace() {
        let (pairs, times) = word.split_once('*').unwrap_or((word, "1"));
        let pairs: Vec<u8> = (pairs.as_bytes().chunks(2))
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        bytes.extend(pairs.repeat(number(times)));
    }
    bytes
}
