//! Another broker on the same log: what was, still is.

use std::collections::BTreeSet;
use std::time::Duration;

use orden_kit::clock::pause;
use orden_kit::dealer::Dealer;
use orden_kit::programs::broker::{Broker, Stopped};

/// Both ways in which a broker ends.
const ENDS: [fn(Broker) -> Stopped; 2] = [Broker::kill, |broker| {
    let (end, stopped) = broker.stop();
    assert_eq!(end.code(), Some(0), "{}", end.complaint);
    stopped
}];

#[test]
fn members_are_known_and_go_on_where_they_were() {
    for end in ENDS {
        let broker = Broker::start(&["--tcp-address", ":0"]);
        let mut ana = Dealer::join(broker.endpoint(), "ana");
        ana.say("uno");
        let first = ana.next();
        let gone = Dealer::join(broker.endpoint(), "gone");
        ana.next_until("Server: gone has joined the net");
        drop(gone);
        ana.say("dos");
        let last = ana.next();
        assert_eq!(last.text(), "ana: dos");

        // The peer stays: libzmq connects it again, and it need not say anything.
        let broker = end(broker).start();
        let status = broker.status();
        assert_eq!(status.next, last.order + 1);
        let names: BTreeSet<_> = status.members.keys().map(String::as_str).collect();
        assert_eq!(names, BTreeSet::from(["ana", "gone"]));

        let eva = Dealer::join(broker.endpoint(), "eva");
        eva.say("tres");
        // She is a member still, and her numbers go on; nobody has joined but eva.
        let heard = ana.next();
        assert_eq!(
            (heard.order, heard.text()),
            (last.order + 1, "Server: eva has joined the net")
        );
        assert_eq!(ana.next().text(), "eva: tres");
        ana.say("cuatro");
        assert_eq!(ana.next().text(), "ana: cuatro");
        // Whoever was away gets what it missed from the log.
        let mut gone = Dealer::join(broker.endpoint(), "gone");
        assert_eq!(gone.next().order, first.order + 2);
        gone.next_until("ana: cuatro");
    }
}

#[test]
fn plain_tcp_peers_are_not_kept_as_they_cannot_come_back() {
    use orden_kit::plain::Plain;
    for end in ENDS {
        let broker = Broker::start(&["--tcp-address", ":0"]);
        let mut plain = Plain::connect(broker.tcp_address());
        plain.say("hola");
        assert_eq!(plain.next(None).text(), "hola");
        let stopped = end(broker);
        while !plain.read().is_empty() {}
        let broker = stopped.start();
        assert_eq!(broker.status().members.len(), 0);
        let mut ana = Dealer::connect(broker.endpoint(), "ana");
        ana.ack(0);
        assert_eq!(ana.next().text(), "hola");
    }
}

/// Each broker runs for less than the session timeout, and for more than the quarter of it that a
/// member has in which to come back to it.
const A_RUN: Duration = Duration::from_millis(1_500);
const MOST_RUNS: usize = 20;

#[test]
fn time_away_adds_up_over_restarts() {
    for end in ENDS {
        let mut broker = Broker::start(&["--session-timeout", "4"]);
        let ana = Dealer::join(broker.endpoint(), "ana");
        broker = end(broker).start();
        drop(ana);
        let mut runs = 0;
        while !broker.status().members.is_empty() {
            assert!(runs < MOST_RUNS, "it is kept for ever");
            runs += 1;
            broker = end(broker).start();
            pause(A_RUN);
        }
    }
}
