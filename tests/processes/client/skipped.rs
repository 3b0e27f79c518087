//! A client that comes back to a broker that has not kept what it missed.

use orden::client::{Client, Error};
use orden::wire::OrderNumber;
use orden::wire::native::Start;

use super::program::Program;
use super::stage::{DEADLINE, Stage};

/// Has so much ordered that a broker that keeps little lets the beginning go.
fn flood(ana: &Client) -> OrderNumber {
    for _ in 0..2_000 {
        ana.publish(vec![b'.'; 1000]).unwrap();
    }
    ana.publish_and_wait("the end").unwrap()
}

/// Takes deliveries until the gap, and then to the end; returns the gap.
fn gap(client: &Client, end: OrderNumber) -> (OrderNumber, OrderNumber) {
    let mut gap = None;
    let mut next = None;
    loop {
        match client.next_delivery(DEADLINE) {
            Ok(delivery) => {
                let order = delivery.expect("a delivery in time").order;
                assert!(
                    next.is_none_or(|next| next == order),
                    "{order} after {next:?}"
                );
                next = Some(order.plus(1));
                if order == end {
                    return gap.expect("there is a gap");
                }
            }
            Err(Error::Skipped { from, to }) => {
                assert!(next.is_none_or(|next| next == from));
                assert_eq!(gap.replace((from, to)), None, "it is told once");
                next = Some(to);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn what_is_no_longer_kept_is_an_error_once() {
    let stage = Stage::keeping(100 << 10);
    let ana = stage.client("ana");
    let ben = stage.client("ben");
    let seen = ana.publish_and_wait("hola").unwrap();
    while ben.next_delivery(DEADLINE).unwrap().unwrap().order < seen {}
    ben.close(DEADLINE).unwrap();
    let end = flood(&ana);
    let (from, to) = gap(&stage.client("ben"), end);
    assert_eq!(from, seen.plus(1));
    assert!(to > from && to < end);
    // So it is to a program that keeps its own position.
    let mut options = stage.options("eva");
    options.settings.start = Start::Resume(seen);
    let eva = Client::connect(options).unwrap();
    assert_eq!(gap(&eva, ana.publish_and_wait("more").unwrap()).0, seen);
}

#[test]
fn orden_client_says_where_it_does_not_begin_as_asked() {
    let stage = Stage::keeping(100 << 10);
    let mut ana = Program::start(&stage.address, &["--name", "ana"]);
    ana.tell("hola\n");
    ana.finish();
    let said = |arguments: &[&str]| {
        let mut client = Program::start(&stage.address, arguments);
        client.tell("hola\n");
        let end = client.end();
        assert_eq!(end.code, Some(0), "{end:?}");
        end.complaint
    };
    let known = said(&["--name", "ana", "--from", "start"]);
    assert!(
        known.contains("--from has no effect: the broker knows ana"),
        "{known}"
    );
    assert!(known.contains("take another name"), "{known}");
    let beyond = Program::start(&stage.address, &["--from", "1000"]).end();
    assert_eq!(beyond.code, Some(3), "{beyond:?}");
    assert!(
        beyond.complaint.contains("log ends before this number"),
        "{beyond:?}"
    );
    for fine in [
        &["--from", "1"][..],
        &["--name", "ana"],
        &["--from", "last:2"],
    ] {
        assert!(!said(fine).contains("--from"), "{fine:?}");
    }
    flood(&stage.client("eva"));
    let gone = said(&["--from", "1"]);
    assert!(gone.contains("are no longer kept"), "{gone}");
}
