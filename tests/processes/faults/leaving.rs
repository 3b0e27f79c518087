//! Who is away, and who has left: silence is only noticed, a goodbye and a long absence end a
//! session, and everybody is told in the order.

use std::collections::HashMap;
use std::time::Duration;

use orden::client::{Clock, Connection, Context, connection};
use orden::core::participant::{Event, Limits, Settings};
use orden::net::Address;
use orden::wire::Name;
use orden::wire::native::Goodbye;
use tempfile::TempDir;

use crate::faults::stage::broker_on;
use orden_kit::PATIENCE;
use orden_kit::clock::{now_us, since_ms, until};
use orden_kit::programs::broker::{Broker, Environment};
use orden_kit::proxy::{Proxy, Way};

struct Hall {
    directory: TempDir,
    broker: Option<Broker>,
    clock: Clock,
    context: Context,
    guests: HashMap<&'static str, Connection>,
    /// What the broker itself has said, in order.
    notices: Vec<String>,
    /// Who has been welcomed, and whether as somebody known.
    welcomed: Vec<(&'static str, bool)>,
}

impl Hall {
    fn open(flags_text: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let broker = broker_on(
            &directory.path().join("log"),
            flags_text,
            Environment::new(),
        );
        Self {
            directory,
            broker: Some(broker),
            clock: Clock::start(),
            context: Context::new(),
            guests: HashMap::new(),
            notices: Vec::new(),
            welcomed: Vec::new(),
        }
    }

    fn address(&self) -> Address {
        let broker = self.broker.as_ref().expect("it runs");
        broker.address().parse().expect("an address")
    }

    fn admit(&mut self, name: &'static str, address: &Address) {
        let settings = Settings::new(Name::new(name.as_bytes()).expect("a name"));
        let limits = Limits {
            stale_after: Duration::from_secs(2),
            ping_after: Duration::from_millis(500),
            ..Limits::default()
        };
        let guest = Connection::open(&self.context, address, settings, limits);
        self.guests.insert(name, guest.expect("a socket"));
        let count = self.welcomes(name).count();
        self.until("a welcome", |hall| hall.welcomes(name).count() > count);
    }

    /// Whether somebody was known, at each of the welcomes.
    fn welcomes(&self, name: &str) -> impl Iterator<Item = bool> {
        let welcomes = self.welcomed.iter().filter(move |(who, _)| *who == name);
        welcomes.map(|(_, known)| *known)
    }

    /// Lets everybody have turns until `is_so`.
    fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begun = now_us();
        while !is_so(self) {
            assert!(since_ms(begun) < 30_000, "no {what}; {:?}", self.notices);
            let wait = Some(Duration::from_millis(20));
            connection::wait(self.guests.values(), &[], wait).expect("the sockets work");
            self.turn();
        }
    }

    fn turn(&mut self) {
        let now = self.clock.now();
        for (name, guest) in &mut self.guests {
            guest.pump(now).expect("the sockets work");
            while let Some(deliveries) = guest.next_deliveries(now).expect("they work") {
                let records = deliveries.records().map(|record| record.expect("sense"));
                for record in records.filter(|record| *name == "ana" && record.sender == b"Server")
                {
                    let text = String::from_utf8_lossy(record.payload);
                    self.notices.push(text.into_owned());
                }
            }
            while let Some(event) = guest.next_event() {
                if let Event::Welcomed(welcome) = event {
                    self.welcomed.push((*name, welcome.resumed));
                }
            }
        }
    }

    fn has_heard(&self, notice: &str) -> bool {
        self.notices.iter().any(|heard| heard == notice)
    }

    fn log(&self) -> String {
        let broker = self.broker.as_ref().expect("it runs");
        broker.program().complaints()
    }
}

#[test]
fn a_goodbye_ends_a_session_and_everybody_is_told() {
    let mut hall = Hall::open("");
    let address = hall.address();
    hall.admit("ana", &address);
    hall.admit("ben", &address);
    hall.until("notice", |hall| hall.has_heard("ben has joined the net"));
    hall.guests
        .get_mut("ben")
        .expect("ben")
        .leave(Goodbye::Leave);
    hall.until("notice", |hall| hall.has_heard("ben has left the net"));
    hall.guests.remove("ben");
    hall.admit("ben", &address);
    assert_eq!(hall.welcomes("ben").last(), Some(false), "a new session");
}

#[test]
fn a_long_absence_ends_a_session_even_across_a_restart() {
    let mut hall = Hall::open("--ping-after 1 --away-after 2 --session-timeout 3");
    let address = hall.address();
    hall.admit("ana", &address);
    hall.admit("ben", &address);
    hall.guests.remove("ben");
    hall.until("end of the session", |hall| {
        hall.has_heard("ben has left the net")
    });
    // The absence is counted on across a restart, and ana, who is there, stays.
    hall.admit("eva", &address);
    hall.until("notice", |hall| hall.has_heard("eva has joined the net"));
    hall.guests.remove("eva");
    let proxy =
        Proxy::start(hall.broker.as_ref().expect("it runs").socket_address()).expect("a port");
    hall.guests.remove("ana");
    let data = hall.directory.path().join("log");
    hall.broker.take().expect("it runs").finish();
    let flags = "--ping-after 1 --away-after 2 --session-timeout 3";
    let again = broker_on(&data, flags, Environment::new());
    proxy.aim(again.socket_address());
    hall.broker = Some(again);
    let address = proxy.address().to_string().parse().expect("an address");
    hall.admit("ana", &address);
    assert_eq!(hall.welcomes("ana").last(), Some(true), "ana is known");
    hall.until("end of the session", |hall| {
        hall.has_heard("eva has left the net")
    });
}

/// The host at the other end has gone without a word: TCP would not notice for hours. The
/// broker asks, gets no answer, and takes the member for away; its session stays, and so does
/// the order: nobody is told.
#[test]
fn silence_is_noticed_and_only_noticed() {
    let mut hall = Hall::open("--ping-after 1 --away-after 3");
    let address = hall.address();
    hall.admit("ana", &address);
    let target = hall.broker.as_ref().expect("it runs").socket_address();
    let proxy = Proxy::start(target).expect("a port");
    let through = proxy.address().to_string().parse().expect("an address");
    hall.admit("ben", &through);
    assert!(!hall.log().contains("ben is away"));
    let ben = hall.guests.remove("ben").expect("ben");
    assert_eq!(proxy.freeze(), 1);
    let noticed = until(PATIENCE, || says_away(&hall.log(), "ben"));
    assert!(noticed, "{}", hall.log());
    drop(ben);
    hall.admit("ben", &address);
    assert_eq!(hall.welcomes("ben").last(), Some(true), "the same session");
    assert!(!hall.has_heard("ben has left the net"));
}

/// A half-closed connection is closed, and its descriptor given back, long before any timeout.
#[test]
fn a_half_closed_connection_is_given_back() {
    let mut hall = Hall::open("");
    let address = hall.address();
    hall.admit("ana", &address);
    let before = hall.broker.as_ref().expect("it runs").usage().descriptors;
    let target = hall.broker.as_ref().expect("it runs").socket_address();
    let proxy = Proxy::start(target).expect("a port");
    let through = proxy.address().to_string().parse().expect("an address");
    hall.admit("ben", &through);
    hall.guests.remove("ben");
    proxy.half_close(Way::Up);
    let broker = hall.broker.as_ref().expect("it runs");
    let given_back = until(PATIENCE, || broker.usage().descriptors <= before);
    assert!(given_back, "{:?}, not {before}", broker.usage());
}

fn says_away(log: &str, name: &str) -> bool {
    log.lines()
        .any(|line| line.contains(name) && line.contains("away"))
}
