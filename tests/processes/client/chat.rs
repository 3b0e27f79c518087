//! `orden-client` on a terminal.

use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};

use crossbeam_channel::{Receiver, unbounded};
use orden::net::Address;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::program::command;
use super::stage::{DEADLINE, Stage};

/// Somebody who types and reads.
pub(crate) struct Person {
    child: Child,
    /// `None`: the terminal is gone.
    keyboard: Option<File>,
    screen: Receiver<Vec<u8>>,
    /// Dropped, it ends the thread that reads the screen.
    watched: Option<PipeWriter>,
    /// What was seen and not asked for.
    seen: String,
}

impl Person {
    pub(crate) fn sits_down(address: &Address, arguments: &[&str]) -> Self {
        Self::sits_down_at("xterm", address, arguments)
    }

    /// At a terminal of this kind.
    pub(crate) fn sits_down_at(kind: &str, address: &Address, arguments: &[&str]) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let terminal = || -> Stdio {
            let mut options = File::options();
            let slave = options.read(true).write(true).open(name.to_str().unwrap());
            OwnedFd::from(slave.unwrap()).into()
        };
        let address = address.to_string();
        let child = command(&[&["--address", &address], arguments].concat())
            .env("TERM", kind)
            .env_remove("NO_COLOR")
            .stdin(terminal())
            .stdout(terminal())
            .stderr(terminal())
            .spawn()
            .unwrap();
        let keyboard = File::from(master);
        let mut output = keyboard.try_clone().unwrap();
        let (bytes, screen) = unbounded();
        let (until, watched) = pipe().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Reading fails when the last program on the terminal has ended.
            while is_readable(&output, &until)
                && let Ok(length) = output.read(&mut buffer)
                && bytes.send(buffer[..length].to_vec()).is_ok()
            {}
        });
        Self {
            child,
            keyboard: Some(keyboard),
            screen,
            watched: Some(watched),
            seen: String::new(),
        }
    }

    pub(crate) fn types(&mut self, keys: &str) {
        self.sends(keys.as_bytes());
    }

    /// The keyboard sends these bytes.
    pub(crate) fn sends(&mut self, bytes: &[u8]) {
        let keyboard = self.keyboard.as_mut().unwrap();
        keyboard.write_all(bytes).unwrap();
    }

    /// The window is closed, or the connection to it breaks.
    pub(crate) fn loses_the_terminal(&mut self) {
        self.keyboard = None;
        self.watched = None;
        while self.screen.recv().is_ok() {} // until the thread has let go of it as well
    }

    pub(crate) fn child(&self) -> &Child {
        &self.child
    }

    /// Waits until this is on the screen; returns what came before it since the last time.
    pub(crate) fn sees(&mut self, text: &str) -> String {
        loop {
            if let Some((before, after)) = self.seen.split_once(text) {
                let (before, after) = (before.to_owned(), after.to_owned());
                self.seen = after;
                return before;
            }
            let Ok(bytes) = self.screen.recv_timeout(DEADLINE) else {
                panic!("{text:?} is not in {:?}", self.seen);
            };
            self.seen += &String::from_utf8_lossy(&bytes);
        }
    }

    pub(crate) fn leaves_with(mut self, code: i32) {
        assert_eq!(
            self.child.wait().unwrap().code(),
            Some(code),
            "{}",
            self.seen
        );
    }
}

/// Waits until there is something to read, or the other end of `until` is gone.
fn is_readable(output: &File, until: &PipeReader) -> bool {
    let mut watched = [
        PollFd::new(output, PollFlags::IN),
        PollFd::new(until, PollFlags::empty()),
    ];
    poll(&mut watched, None).unwrap();
    watched[1].revents().is_empty()
}

impl Drop for Person {
    fn drop(&mut self) {
        // It may have ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn what_one_types_is_not_torn_apart() {
    let stage = Stage::new();
    let mut ana = Person::sits_down(&stage.address, &["--name", "ana"]);
    ana.sees("ana> ");
    let ben = stage.client("ben");
    ana.sees("ben has joined the net");
    ana.types("half a li");
    ana.sees("half a li");
    ben.publish_and_wait("hola").unwrap();
    ana.sees("hola");
    // The prompt and what was typed stand below what has arrived.
    ana.sees("ana> half a li");
    ana.types("ne\r");
    loop {
        let delivery = ben.next_delivery(DEADLINE).unwrap().unwrap();
        if delivery.message == b"half a line" {
            assert_eq!(delivery.from.as_bytes(), b"ana");
            break;
        }
    }
    ana.sees("half a line");
    // The arrow recalls it.
    ana.types("\x1b[A");
    ana.sees("half a line");
    ana.types("\x03");
    ana.leaves_with(0);
}

#[test]
fn the_end_of_input_leaves() {
    let stage = Stage::new();
    let mut ana = Person::sits_down(&stage.address, &["--name", "ana"]);
    ana.sees("ana> ");
    ana.types("hola\r");
    ana.sees("\u{1b}[2m1\u{1b}[0m ");
    ana.types("\x04");
    ana.leaves_with(0);
}

#[test]
fn nobody_rewrites_the_screen() {
    let stage = Stage::new();
    let mut ana = Person::sits_down(&stage.address, &["--name", "ana"]);
    ana.sees("ana> ");
    let ben = stage.client("ben");
    ben.publish("\x1b[2Jgone\x07").unwrap();
    ana.sees("\\u{1b}[2Jgone\\u{7}");
}

#[test]
fn the_broker_goes_away_under_ones_hands() {
    let mut stage = Stage::durable();
    let mut ana = Person::sits_down(&stage.address, &["--name", "ana"]);
    ana.sees("ana> ");
    stage.stop();
    ana.sees("is away");
    ana.types("are you there?\r");
    stage.start();
    ana.sees("the broker is there");
    ana.sees(": are you there?");
    ana.types("\x04");
    ana.leaves_with(0);
}

#[test]
fn a_session_that_ends_gives_the_terminal_back() {
    let stage = Stage::new();
    let mut ana = Person::sits_down(&stage.address, &["--name", "ana"]);
    ana.sees("ana> ");
    let other = stage.client("ana");
    ana.sees("another connection has taken this name");
    ana.leaves_with(3);
    drop(other);
}
