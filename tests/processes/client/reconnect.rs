//! Connections that break and brokers that restart: nothing is lost, nothing comes twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orden::client::{Client, Delivery, Error, Options};
use orden::core::participant::{Ending, Event};
use orden::net::Address;
use orden::wire::ClientSequence;
use orden_kit::proxy::Proxy;

use super::stage::{DEADLINE, Stage, pause};

/// What a client was told of the broker's presence.
type Presence = Arc<Mutex<Vec<&'static str>>>;

fn observed(mut options: Options) -> (Client, Presence) {
    let presence = Presence::default();
    let told = Arc::clone(&presence);
    options.observer = Some(Box::new(move |event| {
        let word = match event {
            Event::Welcomed(_) => "there",
            Event::Away => "away",
            _ => return,
        };
        told.lock().unwrap().push(word);
    }));
    (Client::connect(options).unwrap(), presence)
}

fn proxy(target: &Address) -> Proxy {
    let target = target.to_string().replace("tcp://", "");
    Proxy::start(target.parse().unwrap()).unwrap()
}

fn at(proxy: &Proxy, stage: &Stage, name: &str) -> (Client, Presence) {
    let mut options = stage.options(name);
    options.addresses = vec![proxy.address().to_string().parse().unwrap()];
    observed(options)
}

/// Takes deliveries until the message of this text, and checks that no number is left out.
fn take_until(client: &Client, last: &str) -> Vec<Delivery> {
    let mut seen: Vec<Delivery> = Vec::new();
    loop {
        let delivery = client.next_delivery(DEADLINE).unwrap();
        let delivery = delivery.expect("a delivery in time");
        if let Some(before) = seen.last() {
            assert_eq!(delivery.order, before.order.plus(1));
        }
        seen.push(delivery);
        if seen.last().unwrap().message == last.as_bytes() {
            return seen;
        }
    }
}

fn said(deliveries: &[Delivery]) -> Vec<String> {
    let said = deliveries.iter().filter(|delivery| !delivery.notice);
    said.map(|delivery| String::from_utf8(delivery.message.clone()).unwrap())
        .collect()
}

#[test]
fn connections_are_cut_again_and_again() {
    const MESSAGES: u64 = 30_000;
    let stage = Stage::new();
    let [left, right] = [0; 2].map(|_| proxy(&stage.address));
    let (ana, presence) = at(&left, &stage, "ana");
    let (ben, _) = at(&right, &stage, "ben");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for proxy in [&left, &right].into_iter().cycle() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                pause(Duration::from_millis(35));
                proxy.close();
            }
        });
        scope.spawn(|| {
            for number in 1..=MESSAGES {
                ana.publish(format!("{number}")).unwrap();
                if number % 100 == 0 {
                    pause(Duration::from_millis(2));
                }
            }
            ana.flush(DEADLINE).unwrap();
        });
        let seen = take_until(&ben, &MESSAGES.to_string());
        is_over.store(true, Ordering::SeqCst);
        let expected: Vec<_> = (1..=MESSAGES).map(|number| number.to_string()).collect();
        assert_eq!(said(&seen), expected);
    });
    assert_eq!(ana.confirmed(), ClientSequence(MESSAGES));
    let cuts = presence.lock().unwrap().len() / 2;
    assert!(cuts > 2, "only {cuts} cuts were noticed");
    ana.close(DEADLINE).unwrap();
    ben.close(DEADLINE).unwrap();
}

#[test]
fn a_broker_is_restarted() {
    let mut stage = Stage::durable();
    let (ana, presence) = observed(stage.options("ana"));
    let ben = stage.client("ben");
    ana.publish_and_wait("1").unwrap();
    for number in 2..=4 {
        stage.stop();
        // The broker is away: what is said now waits.
        ana.publish(number.to_string()).unwrap();
        stage.start();
        ana.flush(DEADLINE).unwrap();
    }
    let seen = take_until(&ben, "4");
    assert_eq!(said(&seen), ["1", "2", "3", "4"]);
    assert_eq!(said(&take_until(&ana, "4")), ["1", "2", "3", "4"]);
    let presence = presence.lock().unwrap();
    let expected = ["there", "away", "there", "away", "there", "away", "there"];
    assert_eq!(*presence, expected);
}

#[test]
fn a_broker_that_has_forgotten_everything_is_not_believed() {
    let mut stage = Stage::new();
    let (ana, _) = observed(stage.options("ana"));
    ana.publish_and_wait("1").unwrap();
    stage.stop();
    ana.publish("2").unwrap();
    stage.start();
    let error = ana.flush(DEADLINE).unwrap_err();
    assert!(
        matches!(error, Error::Ended(Ending::LogRegressed { .. })),
        "{error}"
    );
    // Which message it was that may be lost can be asked for even now.
    assert_eq!(ana.unconfirmed(), Some((ClientSequence(2), 1)));
}

#[test]
fn a_broker_that_is_away_for_good_leaves_messages_unconfirmed() {
    let mut stage = Stage::new();
    let (ana, _) = observed(stage.options("ana"));
    ana.publish_and_wait("1").unwrap();
    stage.stop();
    ana.publish("2").unwrap();
    ana.publish("3").unwrap();
    let error = ana.close(Duration::from_millis(100)).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Unconfirmed {
                first: ClientSequence(2),
                count: 2
            }
        ),
        "{error}"
    );
    let text = "2 messages were not confirmed, from client sequence 2 on";
    assert_eq!(error.to_string(), text);
}
