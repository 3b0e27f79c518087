//! Servers that die, stop, and come back.

use orden::stream::{Outage, StreamEvent};
use orden_kit::poll;
use orden_kit::programs::nats::NatsServers;

use super::Tested;

/// Everything that was seen lies where it was seen, in its turn. A server that lags answers with
/// what it has, so the rest is asked for as a broker does it, until all of it is there.
fn holds(tested: &mut Tested, texts: &[&str]) {
    let mut records = Vec::new();
    let all_found = || {
        let (more, is_missing) = tested.fetch(records.len() as u64 + 1);
        assert!(!is_missing, "behind {} records", records.len());
        records.extend(more);
        let mut seen = records.iter();
        let mut is_seen = |text: &&str| seen.any(|record| record == text.as_bytes());
        texts.iter().all(&mut is_seen).then_some(())
    };
    poll(all_found, "what was seen");
}

#[test]
fn a_follower_may_die_and_a_leader_may_die() {
    let mut servers = NatsServers::start(3);
    let (mut tested, _) = Tested::start(&servers, 3);
    tested.append_until_there("all three");
    let leader = servers.leader("t");
    let follower = (leader + 1) % 3;
    servers.kill(follower);
    tested.append_until_there("without a follower");
    servers.restart(follower);
    // Two of three have it only when this one has, too.
    tested.append_until_there("with it again");
    servers.kill(leader);
    tested.append_until_there("without the leader");
    holds(
        &mut tested,
        &[
            "all three",
            "without a follower",
            "with it again",
            "without the leader",
        ],
    );
}

#[test]
fn a_frozen_leader_holds_up_nobody_for_long() {
    let servers = NatsServers::start(3);
    let (mut tested, _) = Tested::start(&servers, 3);
    tested.append_until_there("before");
    let leader = servers.leader("t");
    servers.freeze(leader);
    tested.append_until_there("meanwhile");
    servers.thaw(leader);
    tested.append_until_there("after");
    holds(&mut tested, &["before", "meanwhile", "after"]);
}

#[test]
fn that_no_server_is_there_is_said_and_that_one_is_back() {
    let mut servers = NatsServers::start(1);
    let (mut tested, _) = Tested::start(&servers, 1);
    tested.append_until_there("before");
    servers.kill(0);
    tested.wait("an outage", |event| match event {
        StreamEvent::Down(Outage::NoServer) => Some(()),
        _ => None,
    });
    servers.restart(0);
    let extent = tested.up();
    assert!(extent.last.0 >= 1);
    tested.append_until_there("after");
    holds(&mut tested, &["before", "after"]);
}
