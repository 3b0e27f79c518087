//! `orden-client --observe`: reading without joining.

use orden::wire::OrderNumber;

use super::pipe::everything;
use super::program::Program;
use super::stage::Stage;

#[test]
fn the_order_does_not_know_who_only_reads() {
    let stage = Stage::new();
    let ana = stage.client("ana");
    ana.publish_and_wait("uno").unwrap();
    let observe = ["--observe", "--from", "start", "--count", "3"];
    let mut anybody = Program::start(&stage.address, &observe);
    assert_eq!(anybody.line(), "0 Server: ana has joined the net");
    assert_eq!(anybody.line(), "1 ana: uno");
    // Nothing of what it is told is published.
    anybody.tell("nothing of this\n");
    // Under a name that has a session, it reads from where it says, and takes nothing from it.
    let named = [&["--name", "ana"][..], &observe].concat();
    let mut named = Program::start(&stage.address, &named);
    assert_eq!(named.line(), "0 Server: ana has joined the net");
    assert_eq!(named.line(), "1 ana: uno");
    ana.publish_and_wait("dos").unwrap();
    assert_eq!(anybody.line(), "2 ana: dos");
    assert_eq!(named.line(), "2 ana: dos");
    for reader in [anybody, named] {
        let end = reader.end();
        assert_eq!((end.code, end.complaint.as_str()), (Some(0), ""));
    }
    let (orders, _): (Vec<_>, Vec<_>) = everything(&stage)
        .into_iter()
        .map(|(order, _, said)| (order, said))
        .unzip();
    assert_eq!(orders, [OrderNumber(1), OrderNumber(2)]);
}
