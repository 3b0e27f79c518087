//! Going out of service under load: nothing is lost, and it ends in time.

use std::io::Write as _;
use std::thread::spawn;

use orden_kit::dealer::Dealer;
use orden_kit::programs::broker::{Broker, command, run};
use orden_kit::programs::{Program, client};
use rustix::process::Signal;

use super::{done, operate};

/// Messages that are published while the broker goes.
const MESSAGES: usize = 3000;

#[test]
fn what_is_published_meanwhile_is_ordered_once() {
    let broker = Broker::start(&[]);
    let address = broker.address().to_owned();
    let mut ana = client::start(&address, &["--name", "ana"]);
    let mut input = ana.take_input();
    let publishing = spawn(move || {
        for number in 0..MESSAGES {
            writeln!(input, "message {number}").unwrap();
        }
    });
    let reader = client::start(&address, &["--name", "bea", "--from", "start", "--follow"]);
    while !reader.line().contains("ana: message 100") {}
    let mut drain = operate(&broker, &["drain", "--patience", "20"]);
    let drain = Program::start("drain", &mut drain);
    let (end, stopped) = broker.end();
    assert_eq!(end.code(), Some(0), "{}", end.complaint);
    assert!(
        end.complaint.contains("drained"),
        "it has not waited out its patience"
    );
    assert!(drain.end_by_itself().success());
    let broker = stopped.start();
    publishing.join().unwrap();
    let end = ana.end_by_itself();
    assert!(end.success(), "{}", end.complaint);
    let mut dump = command();
    let log = run(dump.args(["log", "dump", "--unsynced"]).arg(broker.data()));
    let messages = log
        .lines
        .iter()
        .filter_map(|line| line.split_once(" ana: message "));
    let messages: Vec<usize> = messages
        .map(|(_, number)| number.parse().unwrap())
        .collect();
    assert!(
        messages.into_iter().eq(0..MESSAGES),
        "each once, in the order of its sender"
    );
}

#[test]
fn it_waits_for_those_who_are_behind_and_not_for_longer_than_it_was_told() {
    let broker = Broker::start(&[]);
    let mut ana = Dealer::join(broker.endpoint(), "ana");
    ana.say("hola");
    let heard = hear(&mut ana, "ana: hola");
    broker.program().signal(Signal::USR2);
    broker.await_status("it drains", |status| status.next == heard + 1);
    let newcomer = Dealer::connect(broker.endpoint(), "bea");
    newcomer.ack_nothing();
    broker.await_refused("closing", 1);
    ana.ack(heard);
    let (end, stopped) = broker.end();
    assert_eq!(end.code(), Some(0), "{}", end.complaint);
    let broker = stopped.start();
    let mut eva = Dealer::join(broker.endpoint(), "eva");
    eva.say("hola");
    hear(&mut eva, "eva: hola");
    done(&broker, &["drain", "--patience", "1"]);
    let (end, _) = broker.end();
    assert_eq!(end.code(), Some(0), "{}", end.complaint);
}

/// Hears everything up to this, and acknowledges nothing; its number.
fn hear(peer: &mut Dealer, text: &str) -> u64 {
    loop {
        let heard = peer.next_unacknowledged();
        if heard.payload == text.as_bytes() {
            return heard.order;
        }
    }
}
