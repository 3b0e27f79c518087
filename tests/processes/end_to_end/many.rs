//! Five hundred members on one broker.

use std::time::Duration;

use orden::client::{Clock, Connection, Context, connection};
use orden::core::participant::{Limits, Settings};
use orden::net::Address;
use orden::wire::Name;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use orden_kit::poll;
use orden_kit::programs::broker::Broker;

const MEMBERS: usize = 500;
const PUBLISHERS: usize = 4;
/// What each publisher publishes.
const EACH: usize = 250;
/// A context holds 1,023 sockets, and a connection has three.
const IN_A_CONTEXT: usize = 250;
const ROUND: Duration = Duration::from_millis(50);

/// Members that live in one thread.
struct Crowd {
    clock: Clock,
    members: Vec<Member>,
    /// What the first who got a number has seen under it.
    order: Vec<Option<String>>,
}

struct Member {
    connection: Connection,
    /// The next number that is to come, once there was one.
    next: Option<u64>,
    messages: usize,
}

impl Crowd {
    fn connect(broker: &Broker) -> Self {
        let address: Address = broker.endpoint().parse().unwrap();
        let mut members = Vec::new();
        let mut context = Context::new();
        for index in 0..MEMBERS {
            if index % IN_A_CONTEXT == 0 {
                context = Context::new();
            }
            let settings = Settings::new(Name::new(format!("m{index}").as_bytes()).unwrap());
            let limits = Limits::default();
            let connection = Connection::open(&context, &address, settings, limits).unwrap();
            members.push(Member {
                connection,
                next: None,
                messages: 0,
            });
        }
        Self {
            clock: Clock::start(),
            members,
            order: Vec::new(),
        }
    }

    /// Gives everybody a turn, as soon as there is something to do.
    fn turn(&mut self) {
        let connections = self.members.iter().map(|member| &member.connection);
        connection::wait(connections, &[], Some(ROUND)).unwrap();
        for member in &mut self.members {
            member.turn(&self.clock, &mut self.order);
        }
    }

    /// Gives turns until something is so.
    #[track_caller]
    fn turn_until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        poll(
            || {
                self.turn();
                is_so(self).then_some(())
            },
            what,
        );
    }
}

impl Member {
    fn turn(&mut self, clock: &Clock, order: &mut Vec<Option<String>>) {
        let now = clock.now();
        self.connection.pump(now).unwrap();
        while let Some(deliveries) = self.connection.next_deliveries(now).unwrap() {
            for record in deliveries.records().map(Result::unwrap) {
                let number = record.order.0;
                assert!(self.next.is_none_or(|next| next == number), "a gap");
                self.next = Some(number + 1);
                let text = [record.sender, b": ", record.payload].concat();
                let text = String::from_utf8(text).unwrap();
                self.messages += usize::from(!text.starts_with("Server: "));
                let at = usize::try_from(number).unwrap();
                order.resize(order.len().max(at + 1), None);
                let known = order[at].get_or_insert_with(|| text.clone());
                assert_eq!(*known, text, "another message under {number}");
            }
        }
        while self.connection.next_event().is_some() {}
    }
}

#[test]
fn five_hundred_members_see_one_order() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, most).unwrap();
    let broker = Broker::start(&[]);
    let mut crowd = Crowd::connect(&broker);
    crowd.turn_until("everybody's welcome", |crowd| {
        let mut members = crowd.members.iter();
        members.all(|member| member.connection.machine().log_id().is_some())
    });
    assert_eq!(broker.status().members.len(), MEMBERS);

    for (index, publisher) in crowd.members[..PUBLISHERS].iter_mut().enumerate() {
        for number in 0..EACH {
            let text = format!("{number} of {index}");
            publisher.connection.try_publish(text.as_bytes()).unwrap();
        }
    }
    let all = PUBLISHERS * EACH;
    crowd.turn_until("everything for everybody", |crowd| {
        crowd.members.iter().all(|member| member.messages == all)
    });
    let end = broker.status().next;
    for member in &crowd.members {
        assert_eq!(member.next, Some(end));
        assert_eq!(member.messages, all, "each of them once");
    }
    for index in 0..PUBLISHERS {
        let said = crowd.order.iter().flatten();
        let said = said.filter(|text| text.ends_with(&format!(" of {index}")));
        let expected = (0..EACH).map(|number| format!("m{index}: {number} of {index}"));
        assert!(said.eq(&expected.collect::<Vec<_>>()), "publisher {index}");
    }
    // And the broker knows that everybody has everything.
    crowd.turn_until("the ACKs", |_| {
        let status = broker.status();
        status.members.values().all(|member| member.floor == end)
    });
}
