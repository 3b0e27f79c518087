//! Connections with keys.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orden::broker::Security;
use orden::client::{Client, Error, Keys};
use orden::core::participant::{Event, Obstacle};
use orden::net::{generate_keys, read_secret_key};
use orden::wire::Name;
use tempfile::TempDir;

use super::program::Program;
use super::stage::Stage;

/// A directory of keys: the broker's, ana's, which it knows, and eva's, which it does not.
struct KeyRing(TempDir);

impl KeyRing {
    fn new() -> Self {
        let ring = Self(TempDir::new().unwrap());
        for owner in ["broker", "ana", "eva"] {
            let names = [owner].map(|name| Name::new(name.as_bytes()).unwrap());
            generate_keys(ring.0.path(), owner, names.to_vec()).unwrap();
        }
        fs::create_dir(ring.path("authorized")).unwrap();
        fs::copy(ring.path("ana.key"), ring.path("authorized/ana.key")).unwrap();
        ring
    }

    fn path(&self, file: &str) -> std::path::PathBuf {
        self.0.path().join(file)
    }

    fn of(&self, owner: &str) -> Keys {
        let own = self.path(&format!("{owner}.key_secret"));
        Keys::read(&own, &self.path("broker.key")).unwrap()
    }

    fn stage(&self) -> Stage {
        let (_, secret) = read_secret_key(&self.path("broker.key_secret")).unwrap();
        Stage::guarded(Security {
            secret,
            authorized: self.path("authorized"),
        })
    }
}

#[test]
fn a_known_key_is_let_in_and_others_are_told() {
    let ring = KeyRing::new();
    let mut stage = ring.stage();
    let mut options = stage.options("ana");
    options.keys = Some(ring.of("ana"));
    let ana = Client::connect(options).unwrap();
    let order = ana.publish_and_wait("hola").unwrap();
    // The next connection is encrypted, too.
    stage.stop();
    stage.start();
    assert_eq!(ana.publish_and_wait("hola").unwrap(), order.plus(1));

    for (keys, obstacles) in [
        (Some(ring.of("eva")), &[Obstacle::KeyRefused][..]),
        // Both sides end the connection: what we see depends on which of them is first.
        (None, &[Obstacle::OtherLanguage, Obstacle::HungUp]),
    ] {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        let mut options = stage.options("eva");
        options.keys = keys;
        options.patience = Some(Duration::from_secs(1));
        options.observer = Some(Box::new(move |event| {
            tell.lock().unwrap().push(event.clone());
        }));
        let error = Client::connect(options).unwrap_err();
        assert!(matches!(error, Error::NoAnswer(_)), "{error}");
        let told = told.lock().unwrap();
        let is_right = |obstacle: &&Obstacle| told[0] == Event::Unreachable(**obstacle);
        assert!(obstacles.iter().any(|one| is_right(&one)), "{told:?}");
    }
}

#[test]
fn orden_client_takes_key_files() {
    let ring = KeyRing::new();
    let stage = ring.stage();
    let [secret, server] = ["ana.key_secret", "broker.key"].map(|file| ring.path(file));
    let keys = ["--curve-key", secret.to_str().unwrap(), "--server-key"];
    let arguments = [&["--name", "ana"][..], &keys, &[server.to_str().unwrap()]].concat();
    let mut ana = Program::start(&stage.address, &arguments);
    ana.tell("hola\n");
    assert_eq!(ana.finish(), ["1 ana: hola"]);

    fs::set_permissions(&secret, Permissions::from_mode(0o644)).unwrap();
    let end = Program::start(&stage.address, &arguments).end();
    assert_eq!(end.code, Some(3), "{end:?}");
    assert!(
        end.complaint.contains("others may read this secret key"),
        "{end:?}"
    );
}
