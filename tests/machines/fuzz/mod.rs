//! Bytes that nobody has thought of, for everything that reads bytes.
//!
//! `cargo test` replays what is in `tests/machines/fuzz/corpus/` and a few thousand mutations of
//! it, the same ones each time. For as long as you like, with others each time:
//!
//! ```sh
//! ORDEN_FUZZ_SECONDS=600 cargo test --release --test machines fuzz:: -- --nocapture
//! ```
//!
//! What fails is written to the corpus, as `TARGET/crash-…`: commit it with the fix.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers in tests are small"
)]

mod machine;
mod mutate;
mod seeds;
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::spawn;
use std::time::Duration;

use mutate::mutated;
use orden_kit::random::Random;

/// Mutations in an ordinary test run.
const MUTATIONS: u64 = 3_000;

/// What is done with the bytes: it must not panic.
type Target = fn(&[u8]);

fn corpus(target: &str) -> PathBuf {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/machines/fuzz/corpus");
    corpus.join(target)
}

/// Tries a target on its corpus, then on mutations of that.
fn try_target(name: &str, target: Target, mut inputs: Vec<Vec<u8>>) {
    if let Ok(files) = fs::read_dir(corpus(name)) {
        inputs.extend(files.map(|file| fs::read(file.unwrap().path()).unwrap()));
    }
    for input in &inputs {
        try_one(name, target, input);
    }
    let seconds = std::env::var("ORDEN_FUZZ_SECONDS").ok();
    let seconds: Option<u64> = seconds.map(|text| text.parse().unwrap());
    let mut random = Random::new(0);
    let Some(seconds) = seconds else {
        for _ in 0..MUTATIONS {
            try_one(name, target, &mutated(&inputs, &mut random));
        }
        return;
    };
    let seed = getrandom::u64().unwrap();
    println!("{name}: seed {seed}");
    random = Random::new(seed);
    let (_alive, over) = channel::<()>();
    let (stop, stopped) = channel();
    spawn(move || {
        let waited = over.recv_timeout(Duration::from_secs(seconds));
        assert_eq!(waited, Err(RecvTimeoutError::Timeout));
        stop.send(()).unwrap();
    });
    let mut tried: u64 = 0;
    while stopped.try_recv().is_err() {
        for _ in 0..100 {
            try_one(name, target, &mutated(&inputs, &mut random));
        }
        tried += 100;
    }
    println!("{name}: {tried} inputs in {seconds} s");
}

fn try_one(name: &str, target: Target, input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
        let directory = corpus(name);
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join(format!("crash-{:08x}", crc32fast::hash(input)));
        fs::write(&path, input).unwrap();
        panic!("{name} panics at {}", path.display());
    }
}

macro_rules! targets {
    ($($name:ident: $target:path, $seeds:expr;)*) => {
        $(#[test]
        fn $name() {
            try_target(stringify!($name), $target, $seeds);
        })*
    };
}

targets! {
    client_frame: targets::client_frame, seeds::client_frames();
    broker_frame: targets::broker_frame, seeds::broker_frames();
    plain_tcp: targets::plain_tcp, seeds::plain_tcp();
    key_file: targets::key_file, seeds::key_files();
    address: targets::address, seeds::addresses();
    session_entry: targets::session_entry, seeds::session_entries();
    log_recovery: targets::log_recovery, seeds::segments();
    control_line: targets::control_line, seeds::control_lines();
    http_request: targets::http_request, seeds::http_requests();
    broker_machine: machine::broker_machine, seeds::conversations();
    client_machine: machine::client_machine, seeds::broker_frames();
}
