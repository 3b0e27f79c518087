//! Brokers and NATS servers are killed while everybody speaks.

use std::time::Duration;

use orden_kit::clock::pause;
use orden_kit::cluster::{NAMES, Stage};

/// Each broker in turn, with members of all dialects and of both client libraries: those that know
/// others are served again while it is down.
#[test]
fn brokers_are_killed_in_turn() {
    let mut stage = Stage::set();
    let mut worst = 0;
    for at in 0..NAMES.len() {
        worst = worst.max(stage.kill_and_measure(at));
        stage.fault("kill -9 of a broker, which comes back", |stage| {
            stage.start_broker(at);
        });
        stage.hear_plainly(at);
    }
    println!("native members were served again after {worst} ms at most");
    stage.finish();
}

/// A follower costs nothing; the leader costs what NATS takes to elect another one.
#[test]
fn servers_of_the_stream_are_killed() {
    let mut stage = Stage::set();
    let leader = stage.servers.leader("orden");
    let follower = (leader + 1) % 3;
    stage.fault("kill -9 of a NATS follower", |stage| {
        stage.servers.kill(follower);
    });
    stage.fault("a NATS server comes back", |stage| {
        stage.servers.restart(follower);
    });
    pause(Duration::from_secs(1));
    stage.fault("kill -9 of the NATS leader", |stage| {
        stage.servers.kill(leader);
    });
    stage.fault("a NATS server comes back", |stage| {
        stage.servers.restart(leader);
    });
    stage.finish();
}
