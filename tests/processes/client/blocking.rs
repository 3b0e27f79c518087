//! The client for applications.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use crossbeam_channel::unbounded;
use orden::client::{Client, Delivery, Error};
use orden::core::participant::{Acknowledging, Ending, Event, Numbering};
use orden::wire::native::Start;
use orden::wire::{ClientSequence, OrderNumber};

use super::stage::{DEADLINE, Stage};

fn next(client: &Client) -> Delivery {
    client
        .next_delivery(DEADLINE)
        .unwrap()
        .expect("a delivery in time")
}

/// The next delivery that is no notice.
fn next_said(client: &Client) -> Delivery {
    loop {
        let delivery = next(client);
        if !delivery.notice {
            return delivery;
        }
    }
}

fn text(delivery: &Delivery) -> &str {
    str::from_utf8(&delivery.message).unwrap()
}

#[test]
fn what_one_says_all_hear_with_one_number() {
    let stage = Stage::new();
    let (ana, ben) = (stage.client("ana"), stage.client("ben"));
    let order = ana.publish_and_wait("hola").unwrap();
    for client in [&ana, &ben] {
        let delivery = next_said(client);
        assert_eq!((delivery.order, text(&delivery)), (order, "hola"));
        assert_eq!(delivery.from.as_bytes(), b"ana");
        assert_eq!(delivery.client_sequence, ClientSequence(1));
    }
    ben.leave(DEADLINE).unwrap();
    let left = next(&ana);
    assert!(left.notice);
    assert_eq!(text(&left), "ben has left the net");
    assert_eq!(left.order, order.plus(1));
    ana.close(DEADLINE).unwrap();
}

#[test]
fn many_publishes_from_many_threads_are_all_confirmed() {
    const EACH: usize = 5_000;
    let stage = Stage::new();
    let client = stage.client("ana");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let client = &client;
            scope.spawn(move || {
                for number in 0..EACH {
                    client.publish(format!("{thread}/{number}")).unwrap();
                }
            });
        }
        // Nobody takes deliveries until all is published: that must not stop publishing.
    });
    client.flush(DEADLINE).unwrap();
    assert_eq!(client.confirmed(), ClientSequence(4 * EACH as u64));
    let mut seen = [0; 4];
    for _ in 0..4 * EACH {
        let delivery = next_said(&client);
        let (thread, number) = text(&delivery).split_once('/').unwrap();
        let thread: usize = thread.parse().unwrap();
        assert_eq!(number.parse(), Ok(seen[thread]));
        seen[thread] += 1;
    }
    client.close(DEADLINE).unwrap();
}

#[test]
fn what_a_slow_application_does_not_take_waits_at_the_broker() {
    const MESSAGES: u64 = 20_000;
    let stage = Stage::new();
    let (ana, ben) = (stage.client("ana"), stage.client("ben"));
    let begin = stage.status("ben").floor;
    for number in 0..MESSAGES {
        let mut message = vec![b'.'; 1000];
        message[..8].copy_from_slice(&number.to_be_bytes());
        ana.publish(message).unwrap();
    }
    ana.flush(DEADLINE).unwrap();
    let status = stage.status("ben");
    assert_eq!(
        status.floor, begin,
        "what was not taken is not acknowledged"
    );
    let in_flight = status.next.since(status.floor) * 1000;
    // A window's worth, and one batch that went beyond it.
    assert!(in_flight < 4 << 20, "{in_flight} bytes are in flight");
    for number in 0..MESSAGES {
        assert_eq!(next_said(&ben).message[..8], number.to_be_bytes());
    }
    ben.close(DEADLINE).unwrap();
    assert_eq!(stage.status("ben").floor, begin.plus(MESSAGES));
}

#[test]
fn a_client_comes_back_to_what_it_has_not_processed() {
    let stage = Stage::new();
    let ana = stage.client("ana");
    let ben = stage.client("ben");
    for number in 0..10 {
        ana.publish_and_wait(format!("{number}")).unwrap();
    }
    for number in 0..3 {
        assert_eq!(text(&next_said(&ben)), number.to_string());
    }
    // It was given 2 and closes in peace, so it has processed it.
    ben.close(DEADLINE).unwrap();
    let ben = stage.client("ben");
    assert_eq!(text(&next_said(&ben)), "3");
    // As if it had crashed: what it was given last is not known to be processed.
    drop(ben);
    let ben = stage.client("ben");
    assert_eq!(text(&next_said(&ben)), "3");
}

#[test]
fn an_application_that_acknowledges_itself_gets_the_rest_again() {
    let stage = Stage::new();
    let ana = stage.client("ana");
    let connect = || {
        let mut options = stage.options("ben");
        options.settings.acknowledging = Acknowledging::ByApplication;
        Client::connect(options).unwrap()
    };
    let ben = connect();
    for number in 0..10 {
        ana.publish_and_wait(format!("{number}")).unwrap();
    }
    let given: Vec<_> = (0..5).map(|_| next_said(&ben)).collect();
    ben.acknowledge(given[1].order).unwrap();
    let ahead = ben.acknowledge(given[4].order.plus(1));
    assert!(matches!(ahead, Err(Error::NotDelivered(_))));
    ben.close(DEADLINE).unwrap();
    let ben = connect();
    assert_eq!(next_said(&ben), given[2]);
}

#[test]
fn an_application_that_knows_its_position_goes_on_there() {
    let stage = Stage::new();
    let ana = stage.client("ana");
    let order = ana.publish_and_wait("one").unwrap();
    ana.publish_and_wait("two").unwrap();
    for _ in 0..2 {
        let mut options = stage.options("ben");
        options.settings.start = Start::Resume(order);
        let ben = Client::connect(options).unwrap();
        assert_eq!(text(&next_said(&ben)), "one");
        assert_eq!(text(&next_said(&ben)), "two");
        ben.close(DEADLINE).unwrap();
    }
    let mut options = stage.options("ben");
    options.settings.start = Start::Resume(order.plus(1000));
    let error = Client::connect(options).unwrap_err();
    assert!(
        matches!(error, Error::Ended(Ending::LogRegressed { .. })),
        "{error}"
    );
}

#[test]
fn what_is_said_again_under_its_sequence_is_ordered_once() {
    let stage = Stage::new();
    let connect = || {
        let mut options = stage.options("ana");
        options.settings.start = Start::Beginning;
        options.settings.numbering = Numbering::From(ClientSequence(1));
        Client::connect(options).unwrap()
    };
    let ana = connect();
    let first: Vec<_> = (1..=3)
        .map(|number| ana.publish_and_wait(format!("{number}")).unwrap())
        .collect();
    drop(ana);
    let ana = connect();
    let second: Vec<_> = (1..=5)
        .map(|number| ana.publish_and_wait(format!("{number}")).unwrap())
        .collect();
    assert_eq!(second[..3], first);
    for number in 1..=5 {
        assert_eq!(text(&next_said(&ana)), number.to_string());
    }
    drop(ana);
    let ana = connect();
    let error = ana.publish_and_wait("another").unwrap_err();
    let reused = Ending::SequenceReused(ClientSequence(1));
    assert!(
        matches!(&error, Error::Ended(ending) if *ending == reused),
        "{error}"
    );
}

#[test]
fn a_second_client_of_a_name_ends_the_first() {
    let stage = Stage::new();
    let first = stage.client("ana");
    let second = stage.client("ana");
    let end = loop {
        match first.next_delivery(DEADLINE) {
            Ok(delivery) => assert!(delivery.is_some(), "no end in time"),
            Err(error) => break error,
        }
    };
    assert!(matches!(end, Error::Ended(Ending::Superseded)), "{end}");
    let end = first.publish("too late").unwrap_err();
    assert!(matches!(end, Error::Ended(Ending::Superseded)), "{end}");
    let end = first.close(DEADLINE).unwrap_err();
    assert!(matches!(end, Error::Ended(Ending::Superseded)), "{end}");
    second.publish_and_wait("hola").unwrap();
}

#[test]
fn a_message_can_be_too_large() {
    let stage = Stage::new();
    let ana = stage.client("ana");
    let most = orden::core::Limits::default().message_bytes;
    let error = ana.publish(vec![0; most + 1]).unwrap_err();
    assert!(matches!(error, Error::TooLarge { most: said } if said == most));
    let order = ana.publish_and_wait(vec![7; most]).unwrap();
    let delivery = next_said(&ana);
    assert_eq!((delivery.order, delivery.message.len()), (order, most));
}

#[test]
fn nobody_answers() {
    let stage = Stage::new();
    let mut options = stage.options("ana");
    // A port that nobody listens on: it was ours a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    options.addresses = vec![address.parse().unwrap()];
    options.patience = Some(Duration::from_millis(300));
    let error = Client::connect(options).unwrap_err();
    assert!(matches!(error, Error::NoAnswer(_)), "{error}");
}

#[test]
fn deliveries_can_begin_anywhere() {
    let stage = Stage::new();
    let ana = stage.client("ana");
    let orders: Vec<_> = (0..5)
        .map(|number| ana.publish_and_wait(format!("{number}")).unwrap())
        .collect();
    let first = |name: &str, start: Start| {
        let mut options = stage.options(name);
        options.settings.start = start;
        let client = Client::connect(options).unwrap();
        ana.publish("later").unwrap();
        next(&client).order
    };
    assert_eq!(first("start", Start::Beginning), OrderNumber(0));
    assert_eq!(first("at", Start::At(orders[3])), orders[3]);
    assert!(first("now", Start::Now) > orders[4]);
    let last = first("last", Start::Last(1));
    assert!(last > orders[4]);
}

#[test]
fn the_observer_hears_of_a_confirmation_before_those_who_wait_for_it() {
    let stage = Stage::new();
    let mut options = stage.options("ana");
    let own = Arc::new(OnceLock::<Weak<Client>>::new());
    let (told, heard) = unbounded();
    let asked = Arc::clone(&own);
    options.observer = Some(Box::new(move |event| {
        if let Event::Confirmed(run) = event {
            let client = asked.get().and_then(Weak::upgrade).expect("it publishes");
            told.send((run.sequence, client.confirmed())).unwrap();
        }
    }));
    let client = Arc::new(Client::connect(options).unwrap());
    own.set(Arc::downgrade(&client)).unwrap();
    client.publish(b"hola").unwrap();
    client.flush(DEADLINE).unwrap();
    let (sequence, confirmed) = heard.try_recv().expect("it was told before");
    assert!(confirmed < sequence, "{confirmed:?} of {sequence:?}");
}
