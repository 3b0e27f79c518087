//! A disk that fails, and a wall clock that jumps, under a real program: a library that is
//! preloaded answers calls on files as rules say, on whichever thread makes them.
//!
//! A rule is a line of six words: `CALL THREAD PATH ACTION VALUE TIMES`.
//!
//! | word | |
//! | --- | --- |
//! | CALL | `sync`, `read`, `write`, `open`, `rename` or `remove` |
//! | THREAD | its name, `!name` for all others, `*` |
//! | PATH | a part of the file's path, `*` |
//! | ACTION VALUE | `errno N`: fails so |
//! | | `space 0`: fails for want of space where the file would need more |
//! | | `short N`: moves at most so many bytes |
//! | | `delay MS`: takes longer |
//! | TIMES | `once`, a number, `turns` (every other call), `always` |
//!
//! `clock * * ahead SECONDS always` puts the wall clock ahead.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::poll;

/// A shortage, or the disk's end: what Linux calls them.
pub const EIO: i32 = 5;
/// No descriptor is left for this process.
pub const EMFILE: i32 = 24;
/// No descriptor is left in the system.
pub const ENFILE: i32 = 23;
/// No memory is left.
pub const ENOMEM: i32 = 12;

/// The library, built when it is first asked for, and again when its text has changed.
static LIBRARY: LazyLock<PathBuf> = LazyLock::new(build);

/// The rules for one program, or for several that follow one another.
pub struct DiskFaults(TempDir);

impl DiskFaults {
    /// None so far.
    #[expect(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Self {
        Self(TempDir::with_prefix("orden-faults-").expect("a directory for temporary files"))
    }

    /// What a program must find in its environment.
    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("LD_PRELOAD", LIBRARY.clone()),
            ("DISK_FAULTS", self.rules()),
        ]
    }

    /// From now on these rules hold, and no others. To give a rule anew, add a word to it.
    pub fn set(&self, rules: &[&str]) {
        let next = self.0.path().join("next");
        fs::write(&next, rules.join("\n") + "\n").expect("a file");
        fs::rename(next, self.rules()).expect("the same directory");
    }

    /// From now on the disk is sound.
    pub fn lift(&self) {
        self.set(&[]);
    }

    /// The calls that a rule has acted upon: call, thread, path, rule.
    pub fn given(&self) -> Vec<String> {
        let notes = self.rules().with_extension("given");
        let text = fs::read_to_string(notes).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits until a rule with this text has acted.
    #[track_caller]
    pub fn await_given(&self, text: &str) {
        let was_given = || self.given().iter().any(|note| note.contains(text));
        poll(|| was_given().then_some(()), text);
    }

    fn rules(&self) -> PathBuf {
        self.0.path().join("rules")
    }
}

fn build() -> PathBuf {
    let source = include_str!("faults.c");
    let mut hasher = DefaultHasher::new();
    source.hash(&mut hasher);
    let test = std::env::current_exe().expect("it runs");
    let directory = test.parent().expect("it lies in a directory");
    let library = directory.join(format!("disk-faults-{:016x}.so", hasher.finish()));
    if library.exists() {
        return library;
    }
    // Tests that run side by side may build it at once: each gets all of it.
    let place = TempDir::new_in(directory).expect("cargo writes there, too");
    let (from, to) = (
        place.path().join("faults.c"),
        place.path().join("faults.so"),
    );
    fs::write(&from, source).expect("a file");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(compiler);
    command
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&to)
        .arg(&from);
    let built = command
        .arg("-ldl")
        .status()
        .expect("libzmq was built with it");
    assert!(built.success(), "{command:?}: {built}");
    fs::rename(to, &library).expect("the same file system");
    library
}
