//! Members that are behind: they cost the broker a cursor, not memory, however far they are.

use std::thread::scope;

use orden::client::{Client, Clock, Connection, Context, Options, connection};
use orden::core::participant::{Limits, Settings};
use orden::net::Address;
use orden::wire::Name;
use orden::wire::raw::CUT_MARK;

use orden_kit::dealer::{Dealer, Heard};
use orden_kit::plain::Plain;
use orden_kit::programs::broker::Broker;
use orden_kit::{PATIENCE, poll};

/// Bytes of a message, so large that the broker cannot help noticing if it keeps one.
const BYTES: usize = 16 << 10;
/// As many messages as fill whatever the broker keeps for everybody: its tail of 32 MiB, the
/// stretches it has read, a window for each member.
const FIRST: usize = 5_000;
/// How many there are in the end, while nobody who is behind has moved.
const ALL: usize = 4 * FIRST;
/// How much more memory it may have then. A single one who is behind would cost three times as
/// much if the broker kept for him what he has not got; what is left is the allocator's.
const MOST: u64 = (BYTES * (ALL - FIRST) / 3) as u64;

fn text(number: usize) -> String {
    format!("{number} {}", "x".repeat(BYTES))
}

/// A member at the head, which publishes and takes what it has published.
struct Head(Client);

impl Head {
    fn connect(broker: &Broker) -> Self {
        let address: Address = broker.endpoint().parse().unwrap();
        Self(Client::connect(Options::new(address, Name::new(b"head").unwrap())).unwrap())
    }

    fn publish(&self, numbers: std::ops::Range<usize>) {
        let next = || self.0.next_delivery(PATIENCE).unwrap().unwrap();
        scope(|scope| {
            scope.spawn(|| {
                for number in numbers.clone() {
                    self.0.publish(text(number)).unwrap();
                }
            });
            for number in numbers.clone() {
                let expected = text(number).into_bytes();
                while next().message != expected {}
            }
        });
    }
}

/// A native member that does not even read.
struct Deaf {
    connection: Connection,
    clock: Clock,
    heard: usize,
}

impl Deaf {
    fn join(broker: &Broker) -> Self {
        let address: Address = broker.endpoint().parse().unwrap();
        let (context, limits) = (Context::new(), Limits::default());
        let settings = Settings::new(Name::new(b"deaf").unwrap());
        let connection = Connection::open(&context, &address, settings, limits).unwrap();
        let clock = Clock::start();
        let mut deaf = Self {
            connection,
            clock,
            heard: 0,
        };
        deaf.turn_until("a welcome", |deaf| {
            deaf.connection.machine().log_id().is_some()
        });
        deaf
    }

    fn turn_until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        poll(
            || {
                self.turn();
                is_so(self).then_some(())
            },
            what,
        );
    }

    fn turn(&mut self) {
        let now = self.clock.now();
        let deadline = self.connection.deadline().map(|at| self.clock.until(at));
        connection::wait([&self.connection], &[], deadline).unwrap();
        self.connection.pump(now).unwrap();
        while let Some(deliveries) = self.connection.next_deliveries(now).unwrap() {
            for record in deliveries.records().map(Result::unwrap) {
                if record.sender == b"head" {
                    assert!(
                        record.payload == text(self.heard).as_bytes(),
                        "out of order"
                    );
                    self.heard += 1;
                }
            }
        }
    }
}

/// Takes what the head has published, in order and up to the last; `is` knows each by its number.
fn catch_up(mut next: impl FnMut() -> Heard, is: impl Fn(&str, &str) -> bool) {
    let (mut order, mut heard) = (None, 0);
    while heard < ALL {
        let message = next();
        assert!(
            order.is_none_or(|order| message.order == order + 1),
            "a gap"
        );
        order = Some(message.order);
        if let Some(shown) = message.text().strip_prefix("head: ") {
            assert!(is(shown, &text(heard)), "out of order");
            heard += 1;
        }
    }
}

#[test]
fn memory_does_not_grow_with_how_far_behind_somebody_is() {
    let broker = Broker::start(&["--tcp-address", ":0"]);
    let mut deaf = Deaf::join(&broker);
    let mut mute = Dealer::member(broker.endpoint(), "mute");
    let mut plain = Plain::connect(broker.tcp_address());
    let gone = Dealer::member(broker.endpoint(), "gone");
    let expected = gone.expects();
    drop(gone);
    let head = Head::connect(&broker);
    head.publish(0..FIRST);
    let before = broker.usage().resident_bytes;
    head.publish(FIRST..ALL);
    let after = broker.usage().resident_bytes;
    println!("{} MiB, then {} MiB", before >> 20, after >> 20);
    assert!(after < before + MOST, "{before}, then {after}");

    // Each of them gets all of it, whichever way it was behind.
    deaf.turn_until("all of it", |deaf| deaf.heard == ALL);
    catch_up(|| mute.next(), str::eq);
    let mut gone = Dealer::join(broker.endpoint(), "gone");
    gone.expect_from(expected);
    catch_up(|| gone.next(), str::eq);
    let mut order = None;
    let mut next = || {
        let message = plain.next(order);
        order = Some(message.order);
        message
    };
    catch_up(&mut next, |shown, text| {
        shown
            .strip_suffix(CUT_MARK)
            .is_some_and(|shown| text.starts_with(shown))
    });
    let caught_up = broker.usage().resident_bytes;
    println!("{} MiB when everybody has it", caught_up >> 20);
    assert!(caught_up < before + 2 * MOST, "{before}, then {caught_up}");
}
