//! Plain TCP: the original client's bytes, however TCP hands them over.

use orden::wire::raw::{CUT_MARK, LIMIT};

use orden_kit::dealer::Dealer;
use orden_kit::plain::{Plain, ack_of, text_of};
use orden_kit::programs::broker::Broker;

/// A broker, and a member that sees whatever is ordered.
fn watched() -> (Broker, Dealer) {
    let broker = Broker::in_memory(&["--tcp-address", ":0"]);
    let eva = Dealer::member(broker.endpoint(), "eva");
    assert_eq!(
        eva.expects(),
        2,
        "after its notice, which is for others, and what it said"
    );
    (broker, eva)
}

#[test]
fn the_connection_is_the_session() {
    let (broker, mut eva) = watched();
    let mut ana = Plain::connect(broker.tcp_address());
    assert_eq!(
        eva.next().text(),
        format!("Server: {} has joined the net", ana.name())
    );
    let mut berta = Plain::connect(broker.tcp_address());
    let notice = eva.next();
    assert_eq!(
        notice.text(),
        format!("Server: {} has joined the net", berta.name())
    );
    assert_eq!(ana.next(None).text(), notice.text());
    ana.say("ana: hola");
    for heard in [eva.next(), ana.next(Some(3)), berta.next(None)] {
        assert_eq!((heard.order, heard.text()), (4, "ana: hola"));
    }
    // Whoever sends nothing more has left, and so has whoever is gone without a word.
    ana.shut_down();
    assert_eq!(
        eva.next().text(),
        format!("Server: {} has left the net", ana.name())
    );
    let name = berta.name();
    drop(berta);
    assert_eq!(
        eva.next().text(),
        format!("Server: {name} has left the net")
    );
    let status = broker.await_status("leaving", |status| status.count("left") == 2);
    assert_eq!(status.members.len(), 1);
}

#[test]
fn one_message_at_a_time() {
    let (broker, mut eva) = watched();
    let mut ana = Plain::connect(broker.tcp_address());
    eva.next_until(&format!("Server: {} has joined the net", ana.name()));
    for text in ["uno", "dos", "tres"] {
        eva.say(text);
    }
    eva.next_until("eva: tres");
    // Whatever one read gives is one message: the first, and nothing but the first until its ACK.
    let first = ana.hear();
    assert_eq!((first.order, first.text()), (3, "eva: uno"));
    assert_eq!(
        ana.hear(),
        first,
        "not acknowledged, so it comes again, alone"
    );
    ana.ack(3);
    assert_eq!(ana.next(Some(3)).text(), "eva: dos");
    assert_eq!(ana.next(Some(4)).text(), "eva: tres");
}

#[test]
fn glued_and_torn_sends_are_told_apart() {
    let (broker, mut eva) = watched();
    let mut ana = Plain::connect(broker.tcp_address());
    eva.next_until(&format!("Server: {} has joined the net", ana.name()));
    let glued = [text_of("uno"), text_of("dos"), text_of(""), text_of("tres")].concat();
    ana.send(&glued);
    for text in ["uno", "dos", "", "tres"] {
        assert_eq!(eva.next().text(), text);
    }
    // An ACK between two texts, all in one.
    let heard = ana.hear();
    assert_eq!(heard.text(), "uno");
    ana.send(&[text_of("cuatro"), ack_of(heard.order), text_of("cinco")].concat());
    for text in ["cuatro", "cinco"] {
        assert_eq!(eva.next().text(), text);
    }
    assert_eq!(ana.next(Some(heard.order)).text(), "dos");

    // A header in pieces: each piece is there before the next is sent, as the ones before it
    // are answered.
    let text = text_of("seis");
    for at in 1..33 {
        let before = broker.status();
        ana.send(&text[..at]);
        ana.send(&text[at..]);
        assert_eq!(eva.next().text(), "seis", "torn at {at}");
        assert_eq!(
            broker.status().refused("no_header"),
            before.refused("no_header")
        );
    }
}

#[test]
fn a_long_message_is_cut_for_who_cannot_take_it_whole() {
    let (broker, mut eva) = watched();
    let mut ana = Plain::connect(broker.tcp_address());
    eva.next_until(&format!("Server: {} has joined the net", ana.name()));
    let longest = format!("eva: {}", "x".repeat(LIMIT - 33 - 5));
    eva.say_bytes(longest.as_bytes());
    assert_eq!(ana.next(None).text(), longest);
    let too_long = format!("eva: {}", "é".repeat(LIMIT));
    eva.say_bytes(too_long.as_bytes());
    let heard = ana.next(Some(3));
    assert!(heard.payload.len() <= LIMIT - 33);
    let kept = heard.text().strip_suffix(CUT_MARK).unwrap();
    assert!(
        too_long.starts_with(kept) && kept.len() > LIMIT - 40,
        "{}",
        kept.len()
    );
    // Others have it whole.
    assert_eq!(eva.next_until(&too_long).len(), 2);
    broker.await_status("the count", |status| status.count("altered") == 1);
}

#[test]
fn a_long_message_from_one_of_them_may_be_more_than_one() {
    let (broker, mut eva) = watched();
    let mut ana = Plain::connect(broker.tcp_address());
    eva.next_until(&format!("Server: {} has joined the net", ana.name()));
    // Less than a read of the broker's: whole, if TCP does not tear it, which it does not here.
    let text = "x".repeat(4000);
    ana.say(&text);
    assert_eq!(eva.next().text(), text);
}
