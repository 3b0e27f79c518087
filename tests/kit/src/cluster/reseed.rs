//! After all brokers have stopped for good: the order goes on in a new stream, from a journal.

use std::fs;
use std::path::Path;

use crate::clock::{now_us, since_ms};
use crate::cluster::{NAMES, Seat, Stage, place};
use crate::programs::broker::{Stopped, command, run};
use crate::whole_log::journal_bytes;

/// Replaces a stopped broker's directory by a copy of another's.
fn copy(from: &Path, to: &Path) {
    fs::remove_dir_all(to).expect("a directory");
    fs::create_dir(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("room");
        }
    }
}

impl Stage {
    fn stopped(&self, at: usize) -> &Stopped {
        match &self.brokers[at] {
            Some(Seat::Down(stopped)) => stopped,
            _ => panic!("{} has not stopped", NAMES[at]),
        }
    }

    /// As docs/cluster.md says: the longest journal goes on, the others begin with copies of it.
    /// Nothing that only another one has may be missing in it.
    pub fn reseed(&mut self) {
        let journals: Vec<_> = (0..NAMES.len())
            .map(|at| journal_bytes(self.stopped(at).data()))
            .collect();
        let longest = (0..NAMES.len()).max_by_key(|&at| journals[at].2);
        let longest = longest.expect("there are brokers");
        for (name, (bytes, ..)) in NAMES.iter().zip(&journals) {
            let whole = &journals[longest].0;
            assert!(whole.starts_with(bytes), "{name} has another history");
        }
        let since = now_us();
        let before = self.crew.furthest();
        let data = self.stopped(longest).data().to_owned();
        let mut reseed = command();
        reseed.args(["stream", "reseed", "--data"]).arg(&data);
        let end = run(reseed.args(place(&self.servers)));
        assert!(end.success(), "{}", end.complaint);
        for at in (0..NAMES.len()).filter(|&at| at != longest) {
            copy(&data, self.stopped(at).data());
        }
        for at in 0..NAMES.len() {
            self.start_broker(at);
        }
        self.crew.turn_until_well(before);
        println!(
            "reseeded from the journal of {}, which ended at {}: all are well after {} ms",
            NAMES[longest],
            journals[longest].2,
            since_ms(since)
        );
    }
}
