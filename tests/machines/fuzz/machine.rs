//! The machines, told anything in any order.

use std::collections::HashSet;
use std::time::Duration;

use orden::core::participant::{self, Participant, Settings};
use orden::core::{
    Grant, Grants, Input, Limits, Now, Packet, Proof, Recovered, Route, Seed, Sequencer, Transport,
    Undelivered,
};
use orden::wire::{LogId, Name, PublicKey};

/// Small enough for mutations to reach every one.
fn limits() -> Limits {
    Limits {
        message_bytes: 100,
        publish_window: 8,
        window_frames: 4,
        window_bytes: 300,
        tail_bytes: 400,
        loaded_bytes: 400,
        batch_bytes: 200,
        members: 5,
        name_bytes: 20,
        names_per_key: 3,
        catch_ups: 2,
        session_timeout: Some(Duration::from_secs(90)),
        ..Limits::default()
    }
}

fn key(number: u8) -> PublicKey {
    PublicKey::new([number; 32])
}

fn grants(numbers: impl IntoIterator<Item = u8>) -> Grants {
    let name = |number: u8| Name::new(&[b'a' + number]).unwrap();
    let grant = |number| {
        let names = (number % 2 == 1).then(|| name(number)).into_iter();
        let grant = Grant {
            names: names.collect(),
            ..Grant::default()
        };
        (key(number), grant)
    };
    Grants::new(numbers.into_iter().map(grant))
}

/// One thing that is said or happens.
struct Step<'a> {
    who: u8,
    what: u8,
    number: u8,
    frame: &'a [u8],
    id: Vec<u8>,
    route: Route,
}

/// Reads the next step: `who, what, length, bytes`.
fn next_step<'a>(rest: &mut &'a [u8], guarded: bool) -> Option<Step<'a>> {
    let [who, what, number, more @ ..] = *rest else {
        return None;
    };
    let (frame, after) = more.split_at(more.len().min(usize::from(*number)));
    *rest = after;
    let id = match who % 8 {
        7 => vec![0, 1, 2, 3, *who],
        who => vec![b'a' + who],
    };
    let route = Route {
        transport: Transport::Zmq,
        id: id.clone().into(),
        delimited: false,
        connection: u64::from(guarded) * (u64::from(*who) + 1),
    };
    Some(Step {
        who: *who,
        what: *what,
        number: *number,
        frame,
        id,
        route,
    })
}

/// What a step means for the machine.
fn input<'a>(step: &'a Step<'_>, guarded: bool) -> Input<'a> {
    let (id, frame) = (&step.id[..], step.frame);
    let (to, gone, full) = (&step.route, Undelivered::Gone, Undelivered::Full);
    let proof = Proof {
        key: key(step.who % 5),
        connection: step.route.connection,
    };
    match step.what % 16 {
        4 => Input::Tick,
        5 => Input::Connected {
            id,
            name: "127.0.0.1:7",
        },
        6 => Input::Bytes { id, bytes: frame },
        7 => Input::Disconnected { id },
        8 => Input::Undelivered { to, why: gone },
        9 => Input::Undelivered { to, why: full },
        11 if guarded => Input::Grants(grants((0..4).filter(|at| step.number >> at & 1 == 1))),
        12 => Input::Refused("fuzz"),
        what => Input::Packet(Packet {
            id,
            delimited: what == 13,
            body: frame,
            excess: what == 14,
            proof: guarded.then_some(proof),
        }),
    }
}

/// Reads the bytes as a conversation with the broker's machine.
///
/// With keys, nothing may ever be sent over ZeroMQ but to a connection that has spoken.
pub(crate) fn broker_machine(bytes: &[u8]) {
    let guarded = bytes.len() % 2 == 1;
    let mut now = Now::default();
    let recovered = Recovered::nothing(LogId(1), 0);
    let mut machine = Sequencer::new(now, limits(), recovered, Seed::default());
    if guarded {
        machine = machine.guarded_by(grants(0..4));
    }
    let mut spoken: HashSet<u64> = HashSet::new();
    let mut rest = bytes;
    while let Some(step) = next_step(&mut rest, guarded) {
        if step.what % 16 == 4 {
            now.time = now.time + Duration::from_millis(100 * u64::from(step.number));
        }
        let input = input(&step, guarded);
        if let Input::Packet(_) = input {
            spoken.insert(step.route.connection);
        }
        machine.step(now, input);
        if step.what % 2 == 0 {
            let writes = machine.writes(now);
            if step.number % 3 > 0 {
                machine.step(now, Input::Committed(writes.index));
            }
            let ready = machine.ready(now);
            let routes = ready.sends.iter().flat_map(|send| &send.to);
            for route in routes.filter(|route| route.transport == Transport::Zmq) {
                assert!(
                    spoken.contains(&route.connection),
                    "nobody has spoken there"
                );
            }
        }
    }
    machine.ready(now);
    drop(machine.writes(now));
    drop(machine.snapshot());
    drop(machine.last_writes(now));
}

/// Frames for a client's machine: each byte string once at the beginning, once in a session.
pub(crate) fn client_machine(bytes: &[u8]) {
    let settings = Settings::new(Name::new(b"ana").unwrap());
    let mut machine = Participant::new(settings, participant::Limits::default());
    let mut now = Now::default().time;
    let mut step = |machine: &mut Participant, input: participant::Input<'_>| {
        now = now + Duration::from_millis(1);
        let _ = machine.step(now, input);
        while machine.next_frame(now).is_some() {}
        while machine.next_event().is_some() {}
    };
    step(&mut machine, participant::Input::Connected);
    let _ = machine.publish(b"hola");
    let welcome = &crate::fuzz::seeds::broker_frames()[0];
    for frame in [bytes, welcome, bytes, bytes] {
        step(&mut machine, participant::Input::Frame(frame));
    }
    step(&mut machine, participant::Input::Disconnected);
    step(&mut machine, participant::Input::Connected);
    step(&mut machine, participant::Input::Tick);
}
