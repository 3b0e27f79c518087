//! The remote abort: a peer that claims the routing id that libzmq generates next ends the
//! process, in an assertion of libzmq's, when the next peer without one of its own connects.
//!
//! libzmq begins at the same id in every process whose `rand` was not seeded. The broker seeds it
//! (`seed_generated_ids`), and `.libzmq/patches/routing-ids.patch` gives nobody an id that begins
//! like a generated one; with neither, this test kills the broker. `tests/machines/libzmq.rs`
//! tries the patch alone, where the next id is known.

use crate::hostile::Witness;
use crate::security::stage::Peer;
use orden_kit::programs::broker::Broker;
use orden_kit::zmtp::Speaker;

/// The first id of a process that has not called `srand`, with the GNU C library.
const FIRST: u32 = 0x6B8B_4567;

#[test]
fn s14_the_next_generated_routing_id_cannot_be_claimed() {
    let mut broker = Broker::in_memory(&[]);
    let address = broker.address().to_owned();
    let mut witness = Witness::new(&mut broker);
    // The monitor of the broker, and whoever came before, may have taken some; the number that
    // is drawn may be any of the first.
    let claims: Vec<_> = (0..40)
        .map(|more| {
            let id = [&[0][..], &(FIRST + more).to_be_bytes()].concat();
            let mut speaker = Speaker::join(&address, &id);
            speaker.message(&[b""]);
            speaker
        })
        .collect();
    witness.is_served("24: claims of generated ids");
    let guests: Vec<_> = (0..10)
        .map(|_| Peer::join(witness.broker, "", None))
        .collect();
    witness.is_served("24: guests");
    for guest in &guests {
        guest.say("a guest's");
        guest.hear_until("a guest's");
    }
    witness.is_served("24: guests who speak");
    drop((claims, guests));
}

#[test]
fn s14_generated_routing_ids_are_never_shown() {
    let broker = Broker::in_memory(&["--log-level", "trace"]);
    let guest = Peer::join(&broker, "", None);
    guest.say("hola");
    let (_, joined) = guest.hear();
    assert!(joined.starts_with("hola"), "{joined}");
    let witness = Peer::join(&broker, "witness", None);
    broker.program().complaint(0, "witness has joined");
    let other = Peer::join(&broker, "", None);
    let (_, notice) = witness.hear();
    assert!(notice.starts_with("Server: guest-"), "{notice}");
    drop(other);
    let said = broker.program().complaints();
    assert!(
        said.is_ascii() && !said.contains("\\0") && !said.contains("\\u{0}"),
        "{said}"
    );
}
