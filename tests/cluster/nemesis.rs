//! Whatever can befall three brokers and three NATS servers, for some minutes, while members of
//! every dialect and of both client libraries speak. docs/reliability.md shows the table.
//!
//! ```sh
//! cargo build && cargo run --example nemesis [PART ...]
//! ```

use orden_kit::clock::pause;
use orden_kit::cluster::{self, NAMES, Stage};
use orden_kit::network::{self, Lan};
use orden_kit::programs::broker::{command, run};
use orden_kit::programs::nats::NatsServers;
use serde_json::json;
use std::time::Duration;

/// How often a broker is killed.
const KILLS: usize = 50;
/// What brokers of small messages need: half a MiB, and 64 KiB more.
const PAYLOAD: usize = (512 << 10) + (64 << 10);
/// Longer than a broker may be silent before the others take it for gone.
const PAST_GONE_MS: u64 = 13_000;
const STEP_DOWN: &str = "$JS.API.STREAM.LEADER.STEPDOWN.orden_orden";
const INFO: &str = "$JS.API.STREAM.INFO.orden_orden";
const DELETE: &str = "$JS.API.STREAM.DELETE.orden_orden";
const CREATE: &str = "$JS.API.STREAM.CREATE.orden_orden";
const PURGE: &str = "$JS.API.STREAM.PURGE.orden_orden";

/// A part of the run, and its name.
type Part = (&'static str, fn());

const PARTS: [Part; 8] = [
    ("kills", kills),
    ("brokers", brokers),
    ("servers", servers),
    ("stream", stream),
    ("halts", halts),
    ("purge", purge),
    ("cuts", cuts),
    ("payload", payload),
];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for (name, run) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            println!("== {name}");
            run();
        }
    }
}

/// Brokers are killed, one after the other, and come back.
fn kills() {
    let mut stage = Stage::set();
    let mut worst = 0;
    for round in 0..KILLS {
        let at = round % NAMES.len();
        worst = worst.max(stage.kill_and_measure(at));
        stage.fault("a killed broker comes back", |stage| stage.start_broker(at));
    }
    println!("native members were served again after {worst} ms at most");
    stage.finish();
}

/// Brokers stand still, are stopped, and members are led elsewhere.
fn brokers() {
    let mut stage = Stage::set();
    for at in 0..NAMES.len() {
        let freeze = |stage: &mut Stage| stage.broker(at).program().freeze();
        stage.fault_for(
            "a broker stands still past Gone",
            PAST_GONE_MS,
            freeze,
            |stage| {
                stage.thaw_broker(at);
            },
        );
    }
    for at in 0..NAMES.len() {
        stage.fault("SIGTERM of a broker, and its start", |stage| {
            stage.stop_broker(at);
            stage.crew.turn_for(500_000);
            stage.start_broker(at);
        });
    }
    stage.finish();
}

/// NATS servers are killed, frozen, stopped, and hand over what they lead.
fn servers() {
    let mut stage = Stage::set();
    for _ in 0..3 {
        let leader = stage.servers.leader("orden");
        stage.fault("kill -9 of the NATS leader", |stage| {
            stage.servers.kill(leader);
        });
        stage.fault("a NATS server comes back", |stage| {
            stage.servers.restart(leader);
        });
        stage.servers.await_health(leader);
        let follower = (stage.servers.leader("orden") + 1) % 3;
        stage.fault("kill -9 of a NATS follower", |stage| {
            stage.servers.kill(follower);
        });
        stage.fault("a NATS server comes back", |stage| {
            stage.servers.restart(follower);
        });
        stage.servers.await_health(follower);
    }
    let leader = stage.servers.leader("orden");
    let freeze = |stage: &mut Stage| stage.servers.freeze(leader);
    stage.fault_for(
        "the NATS leader stands still for 14 s",
        14_000,
        freeze,
        |stage| {
            stage.servers.thaw(leader);
        },
    );
    for _ in 0..10 {
        stage.fault("a step-down", |stage| drop(stage.ask(STEP_DOWN, "")));
        pause(Duration::from_secs(1));
    }
    for at in 0..3 {
        stage.fault("SIGTERM of a NATS server", |stage| {
            stage.servers.begin_to_stop(at);
            while stage.servers.is_running(at) {
                stage.crew.speak_for(10_000);
            }
        });
        stage.fault("a NATS server comes back", |stage| {
            stage.servers.restart(at);
        });
        stage.servers.await_health(at);
    }
    stage.fault("kill -9 of all NATS servers, up after 1 s", |stage| {
        (0..3).for_each(|at| stage.servers.kill(at));
        stage.crew.turn_for(1_000_000);
        (0..3).for_each(|at| stage.servers.restart(at));
    });
    stage.finish();
}

/// The stream is full, or configured otherwise, for a while.
fn stream() {
    let mut stage = Stage::set();
    for _ in 0..3 {
        let fill = |stage: &mut Stage| {
            let bytes = stage.ask(INFO, "")["state"]["bytes"].clone();
            stage.configure("max_bytes", bytes);
        };
        stage.fault_for("the stream is full for 3 s", 3_000, fill, |stage| {
            stage.configure("max_bytes", json!(-1));
        });
    }
    let age = |stage: &mut Stage| drop(stage.configure("max_age", json!(3_600_000_000_000_u64)));
    stage.fault_for(
        "the stream is configured otherwise for 3 s",
        3_000,
        age,
        |stage| {
            stage.configure("max_age", json!(0));
        },
    );
    stage.finish();
}

/// The stream is not what it was: all have to stop.
fn halts() {
    drop(Stage::set().finish_in_halt("the stream is deleted", |stage| drop(stage.ask(DELETE, ""))));
    let again = Stage::set().finish_in_halt("the stream is deleted and created anew", |stage| {
        let config = stage.ask(INFO, "")["config"].clone();
        stage.ask(DELETE, "");
        stage.ask(CREATE, &config.to_string());
    });
    drop(again);
}

/// Cables are pulled between machines: network namespaces, which needs root or user namespaces, and
/// the tools of iproute2 and util-linux.
fn cuts() {
    if !network::enter(&["cuts"]) {
        return;
    }
    let mut stage = Stage::set_apart();
    for at in 0..NAMES.len() {
        let what = "a broker is cut off from NATS for 5 s";
        stage.cut_for(what, Lan::Stream, at + 1, 5_000);
    }
    let what = "a broker is cut off from NATS for 60 s";
    stage.cut_for(what, Lan::Stream, 2, 60_000);
    for _ in 0..3 {
        let leader = stage.servers.leader("orden") + 4;
        let what = "the leader is cut off from its followers for 5 s";
        stage.cut_for(what, Lan::Servers, leader, 5_000);
        (0..3).for_each(|at| stage.servers.await_health(at));
    }
    let leader = stage.servers.leader("orden") + 4;
    let what = "the leader is cut off from its followers for 60 s";
    stage.cut_for(what, Lan::Servers, leader, 60_000);
    (0..3).for_each(|at| stage.servers.await_health(at));
    for at in 0..NAMES.len() {
        let what = "members are cut off from their broker for 5 s";
        stage.cut_for(what, Lan::Members, at + 1, 5_000);
    }
    let what = "members are cut off from their broker for 60 s";
    stage.cut_for(what, Lan::Members, 3, 60_000);
    stage.finish();
}

/// The servers take as much as brokers need and not a byte more: no record is too large for them.
fn payload() {
    let mut stage = Stage::set_with(&format!("max_payload: {PAYLOAD}"));
    stage.fault_for(
        "servers take no byte more than is needed",
        10_000,
        |_| (),
        |_| (),
    );
    stage.finish();
    let servers = NatsServers::with(1, &format!("max_payload: {}", PAYLOAD - 1));
    let place = cluster::place(&servers);
    let create = [
        "stream",
        "create",
        "--insecure-single-copy",
        "--max-message-bytes",
        "70000",
    ];
    let end = run(command().args(create).args(place));
    println!("a byte less: {}", end.complaint.trim_end());
    assert_eq!(end.code(), Some(1), "{}", end.complaint);
}

/// Records are removed that all have applied, and perhaps some that not all have.
fn purge() {
    let mut stage = Stage::set();
    stage.fault("the stream is purged", |stage| drop(stage.ask(PURGE, "{}")));
    stage.finish();
}
