//! The peer in README.md, as it stands there.

use std::path::Path;
use std::process::Command;

use crate::interop::stage;
use orden_kit::programs::Program;
use orden_kit::programs::broker::Broker;
use orden_kit::programs::python;

const ADDRESS: &str = "tcp://127.0.0.1:8081";

#[test]
fn the_peer_in_the_readme_works() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(path).expect("it is there");
    let code = readme.split("```python\n").nth(1).expect("a peer");
    let code = code.split("```").next().expect("its end");
    assert!(code.lines().filter(|line| !line.is_empty()).count() <= 15);
    assert!(code.contains(ADDRESS), "README.md names the address");

    let broker = Broker::start(&[]);
    let code = code.replace(ADDRESS, broker.endpoint());
    let mut python = Command::new(python::interpreter());
    let carla = Program::start("the peer", python.arg("-u").arg("-c").arg(code));
    assert_eq!(carla.line(), "1 carla: hola");
    let mut ana = stage::client(&broker, "ana", "--count 1");
    ana.tell("buenas");
    assert_eq!(carla.line(), "2 Server: ana has joined the net");
    assert_eq!(carla.line(), "3 ana: buenas");
    ana.finish();

    // After a kill the broker sends again what it has no ACK of on its disk.
    let broker = broker.kill().start();
    let mut berta = stage::client(&broker, "berta", "--count 1");
    berta.tell("otra vez");
    assert_eq!(carla.line(), "4 Server: berta has joined the net");
    assert_eq!(carla.line(), "5 berta: otra vez");
    berta.finish();
}
