//! The path of the control socket, taken by another broker while the first one runs.

use orden_kit::programs::broker::Broker;
use tempfile::TempDir;

#[test]
fn a_broker_ends_although_its_path_is_anothers_and_leaves_that_alone() {
    let place = TempDir::new().unwrap();
    let path = place.path().join("control");
    let flags = ["--control", path.to_str().unwrap()];
    let first = Broker::start(&flags);
    std::fs::remove_file(&path).unwrap();
    let _second = Broker::start(&flags);
    let (end, _) = first.stop();
    assert_eq!(end.code(), Some(0), "{}", end.complaint);
    assert!(path.exists(), "the second one is still asked there");
}
