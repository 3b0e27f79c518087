//! A deadline for every test: one that hangs ends its test program and is named, rather than
//! holding up for hours whatever waits for the program.
//!
//! Waits have a deadline of their own ([`PATIENCE`](crate::PATIENCE)). This is for what has none:
//! a read from a pipe, the end of a child or of a thread.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::abort;
use std::sync::{Mutex, MutexGuard, Once};
use std::thread;
use std::time::Duration;

use crate::clock;

/// Several times what the longest test takes on a busy machine.
const DEADLINE: Duration = Duration::from_mins(10);

/// Tests that run, and since when, in microseconds.
static RUNNING: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

/// Gives the test on the calling thread a deadline, if it has none yet. What starts a program or
/// waits for something calls this, so that a test need not.
pub fn set() {
    static WATCH: Once = Once::new();
    thread_local! {
        static TEST: Option<Running> = Running::on_this_thread();
    }
    TEST.with(|_| ());
    WATCH.call_once(|| drop(thread::spawn(watch)));
}

/// A test until its thread ends.
struct Running(String);

impl Running {
    /// Test threads have their test's name. Without threads all tests run on the main thread,
    /// and somebody is watching them.
    fn on_this_thread() -> Option<Self> {
        let thread = thread::current();
        let name = thread.name().filter(|name| *name != "main")?.to_owned();
        running().insert(name.clone(), clock::now_us());
        Some(Self(name))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        running().remove(&self.0);
    }
}

fn running() -> MutexGuard<'static, BTreeMap<String, u64>> {
    RUNNING.lock().expect("no holder panics")
}

fn watch() {
    let deadline = u64::try_from(DEADLINE.as_millis()).expect("minutes");
    loop {
        clock::pause(Duration::from_secs(1));
        let running = running().clone();
        let mut late = running.iter();
        if let Some((name, _)) = late.find(|(_, since)| clock::since_ms(**since) > deadline) {
            // Past the harness, which keeps what a test prints until the test has ended.
            writeln!(std::io::stderr(), "{name} has not ended after {DEADLINE:?}").ok();
            abort();
        }
    }
}
