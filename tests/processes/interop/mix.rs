//! Everything at the same time: each peer sees the whole order, under the same numbers.

use std::thread::JoinHandle;

use orden::client::{Client, Options};
use orden::net::Address;
use orden::wire::Name;
use orden::wire::native::Start;
use rustix::process::Signal;

use crate::interop::seen::{self, Line, number_and_text};
use crate::interop::stage;
use orden_kit::PATIENCE;
use orden_kit::programs::Program;
use orden_kit::programs::broker::Broker;
use orden_kit::programs::python;

/// What each publisher publishes.
const EACH: usize = 1_000;
/// What is typed to the original client meanwhile.
const TYPED: usize = 20;
const MESSAGES: usize = 4 * EACH + TYPED;
/// One of each dialect.
const PUBLISHERS: [&str; 4] = ["binary", "json", "native", "tcp"];
/// The others: dialect, name, how they join and acknowledge. The original is the fourth.
const LISTENERS: [(&str, &str, &str); 3] = [
    ("binary", "binary-listener", "--join probe --ack every:7"),
    ("json", "json-listener", "--ack every:100"),
    ("native", "native-listener", ""),
];

/// A Python peer, which leaves when it has seen all messages.
fn peer(broker: &Broker, dialect: &str, name: &str, more: &str) -> Program {
    let address = match dialect {
        "tcp" => broker.tcp_address(),
        _ => broker.endpoint(),
    };
    let expect = MESSAGES.to_string();
    let fixed = ["--address", address, "--name", name, "--expect", &expect];
    let more = more.split_whitespace();
    let arguments: Vec<_> = fixed.into_iter().chain(more).collect();
    python::start(&format!("{dialect}_peer.py"), &arguments)
}

/// The original client as its user starts it, who types when he likes.
fn original(broker: &Broker, name: &str) -> Program {
    let arguments = ["--address", broker.tcp_address(), "--name", name];
    python::start("tcp_peer.py", &arguments)
}

/// A program with the library in it, in a thread: what it was given.
fn client_library(broker: &Broker) -> JoinHandle<Vec<Line>> {
    let address: Address = broker.endpoint().parse().expect("an endpoint");
    let mut options = Options::new(address, Name::new(b"library").expect("a name"));
    options.settings.start = Start::Beginning;
    let client = Client::connect(options).expect("the broker answers");
    std::thread::spawn(move || {
        let mut lines = Vec::new();
        while seen::messages(&lines) < MESSAGES {
            let delivery = client.next_delivery(PATIENCE).expect("the session lives");
            let delivery = delivery.expect("a delivery in time");
            let message = String::from_utf8(delivery.message).expect("all of it is text");
            let line = format!("{} {}: {message}", delivery.order, delivery.from);
            lines.push(number_and_text(&line));
        }
        client.close(PATIENCE).expect("it says goodbye");
        lines
    })
}

/// Types lines to the original client, each when the one before was shown; gives all that it
/// shows until it has shown everything.
fn chat(mut original: Program) -> Vec<Line> {
    let mut lines = Vec::new();
    for number in 1..=TYPED {
        let text = format!("typed {number}");
        original.tell(&text);
        while !lines
            .last()
            .is_some_and(|(_, last): &Line| last.ends_with(&text))
        {
            lines.push(number_and_text(&original.line()));
        }
    }
    while seen::messages(&lines) < MESSAGES {
        lines.push(number_and_text(&original.line()));
    }
    let rest = original.finish();
    lines.extend(rest.iter().map(|line| number_and_text(line)));
    lines
}

/// What a program shows until it has shown everything.
fn read(program: &Program) -> Vec<Line> {
    let mut lines = Vec::new();
    while seen::messages(&lines) < MESSAGES {
        lines.push(number_and_text(&program.line()));
    }
    lines
}

#[test]
fn four_dialects_in_two_languages_see_one_order() {
    let broker = Broker::start(&["--tcp-address", ":0"]);
    let program = stage::client(&broker, "program", "--from start --follow");
    let library = client_library(&broker);
    let publish = format!("--publish {EACH} --hold");
    let mut publishers = PUBLISHERS.map(|name| peer(&broker, name, name, &publish));
    let listeners = LISTENERS.map(|(dialect, name, more)| peer(&broker, dialect, name, more));
    let original = original(&broker, "original");
    broker.await_status("everybody", |status| status.members.len() == 10);

    for publisher in &mut publishers {
        publisher.tell("go");
    }
    let mut seen = vec![("original", chat(original))];
    seen.push(("orden-client", read(&program)));
    program.signal(Signal::TERM);
    program.finish();
    seen.push(("library", library.join().expect("it sees everything")));
    let names = PUBLISHERS
        .into_iter()
        .chain(LISTENERS.map(|(_, name, _)| name));
    for (peer, name) in publishers.into_iter().chain(listeners).zip(names) {
        let lines = peer.finish();
        let lines = lines.iter().map(|line| number_and_text(line)).collect();
        seen.push((name, lines));
    }

    let order = stage::the_log(&broker);
    seen::is_dense(&order);
    for name in PUBLISHERS {
        let said = (1..=EACH).map(|number| format!("{name}: message {number}"));
        seen::holds(&order, name, &said.collect::<Vec<_>>());
    }
    let typed = (1..=TYPED).map(|number| format!("original: typed {number}"));
    seen::holds(&order, "original", &typed.collect::<Vec<_>>());
    for (who, lines) in &seen {
        seen::is_part_of(&order, who, lines, MESSAGES);
    }
    let (end, _) = broker.stop();
    assert_eq!(end.code(), Some(0), "{}", end.complaint);
}
