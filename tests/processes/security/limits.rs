//! What the limits cost whoever goes beyond them, and nobody else.

use crate::security::stage::Peer;
use orden_kit::programs::broker::Broker;

#[test]
fn s12_each_limit_refuses_by_its_name_and_harms_nobody() {
    let broker = Broker::in_memory(&[
        "--max-message-bytes",
        "64",
        "--max-name-bytes",
        "8",
        "--max-members",
        "2",
    ]);
    let ana = Peer::join(&broker, "ana", None);
    broker.program().complaint(0, "ana has joined");
    let bea = Peer::join(&broker, "bea", None);
    ana.hear_until("Server: bea has joined the net");

    let long = Peer::join(&broker, "much too long", None);
    broker.await_refused("limit_reached", 1);
    let third = Peer::join(&broker, "eva", None);
    broker.await_refused("limit_reached", 2);
    bea.say(&"x".repeat(65));
    broker.await_refused("too_large", 1);
    bea.socket.send_multipart(["", "", ""], 0).unwrap();
    broker.await_refused("too_many_frames", 1);

    bea.say("bea: hola");
    assert_eq!(ana.hear().1, "bea: hola", "and nothing before it");
    long.hears_nothing();
    third.hears_nothing();
}
