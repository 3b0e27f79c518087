//! The real broker on a disk that fails, is slow or full, and under a clock that jumps: what was
//! confirmed is never lost, what passes is sat out, and what does not ends it with a line.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod any_fault;
mod clock;
mod directory;
mod final_errors;
mod full;
mod shortages;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use orden::client::{Client, Options};
use orden::wire::native::Start;
use orden::wire::{Name, OrderNumber};
use orden_kit::PATIENCE;
use orden_kit::disk_faults::DiskFaults;
use orden_kit::programs::broker::{Broker, Stopped};
use orden_kit::whole_log;

/// Segments as small as they get, so that a test sees many.
const SMALL: &[&str] = &["--max-message-bytes", "100000", "--segment-bytes", "1"];
/// Some of these fill a segment.
const MESSAGE_BYTES: usize = 90_000;

/// A broker on a disk that is sound so far.
fn start(faults: &DiskFaults, flags: &[&str]) -> Broker {
    let flags: Vec<&str> = SMALL.iter().chain(flags).copied().collect();
    Broker::start_with(&flags, faults.environment())
}

/// A client that publishes numbered messages.
struct Publisher {
    client: Client,
    published: AtomicU64,
}

impl Publisher {
    fn connect(broker: &Broker) -> Self {
        let mut options = Options::new(
            broker.endpoint().parse().unwrap(),
            Name::new(b"ana").unwrap(),
        );
        options.settings.receive = false;
        Self {
            client: Client::connect(options).unwrap(),
            published: AtomicU64::new(0),
        }
    }

    /// Publishes the next message, as soon as there is room for it among the unconfirmed ones:
    /// never, where the broker has ended.
    fn publish(&self) {
        let number = self.published.fetch_add(1, Relaxed);
        let mut message = format!("{number:08} ").into_bytes();
        message.resize(MESSAGE_BYTES, b'x');
        self.client.publish(message).unwrap();
    }

    /// Waits until everything is confirmed.
    #[track_caller]
    fn flush(&self) {
        self.client.flush(PATIENCE).unwrap();
    }

    /// Publishes one by one until `is_enough`.
    #[track_caller]
    fn publish_until(&self, mut is_enough: impl FnMut() -> bool) {
        while !is_enough() {
            assert!(self.published.load(Relaxed) < 2000, "it never comes");
            self.publish();
            self.flush();
        }
    }

    fn confirmed(&self) -> u64 {
        self.client.confirmed().0
    }
}

/// The segments of a broker.
fn segments(broker: &Broker) -> Vec<String> {
    let names = std::fs::read_dir(broker.data()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".segment")).collect();
    names.sort();
    names
}

/// Starts a broker on a sound disk, and stops it: everything that was confirmed is in the log,
/// each message once and in order.
#[track_caller]
fn assert_nothing_lost(stopped: Stopped, confirmed: u64) {
    let (end, stopped) = stopped.start().stop();
    assert_eq!(end.code(), Some(0), "{}", end.complaint);
    let mut next = 0;
    whole_log::read(stopped.data(), |record| {
        if record.sender == b"ana" {
            let text = String::from_utf8(record.payload[..8].to_vec()).unwrap();
            assert_eq!(text.parse::<u64>().unwrap(), next);
            next += 1;
        }
    });
    assert!(next >= confirmed, "{next} of {confirmed}");
}

/// The member "reader" is sent all messages of ana's from the start, `count` or more.
#[track_caller]
fn read_all(broker: &Broker, count: u64) {
    let mut options = Options::new(
        broker.endpoint().parse().unwrap(),
        Name::new(b"reader").unwrap(),
    );
    options.settings.start = Start::Resume(OrderNumber(0));
    let reader = Client::connect(options).unwrap();
    let mut seen = 0;
    while seen < count {
        let delivery = reader.next_delivery(PATIENCE).unwrap();
        let delivery = delivery.unwrap_or_else(|| panic!("only {seen} of {count} come"));
        seen += u64::from(delivery.from.as_bytes() == b"ana");
    }
}
