//! `orden-client` on terminals of all kinds, and what people do at them.

use std::time::Duration;

use orden::Client;
use rustix::process::{Pid, Signal, kill_process};

use super::chat::Person;
use super::stage::{DEADLINE, Stage};

/// The texts that `listener` is delivered, up to `last`.
fn texts(listener: &Client, last: &str) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.last().is_none_or(|text| text != last) {
        let delivery = listener.next_delivery(DEADLINE).unwrap();
        let message = delivery.expect("a delivery in time").message;
        texts.push(String::from_utf8(message).unwrap());
    }
    texts
}

/// That nothing comes.
fn is_quiet(listener: &Client) {
    let delivery = listener.next_delivery(Duration::from_millis(300)).unwrap();
    assert_eq!(delivery, None);
}

#[test]
fn a_terminal_without_a_cursor_has_plain_lines() {
    let stage = Stage::new();
    for (index, kind) in ["dumb", "emacs", "none", ""].into_iter().enumerate() {
        let name = format!("ana{index}");
        let mut ana = Person::sits_down_at(kind, &stage.address, &["--name", &name]);
        ana.types("hola\n");
        ana.sees(&format!("{name}: hola"));
        let ben = stage.client("ben");
        ben.publish("buenas").unwrap();
        let before = ana.sees("ben: buenas");
        assert!(!before.contains('\x1b'), "{kind}: {before:?}");
        ana.types("\x04");
        ana.leaves_with(0);
    }
}

#[test]
fn a_name_stays_unless_its_session_is_ended() {
    let stage = Stage::new();
    let eva = stage.client("eva");
    let mut ana = Person::sits_down(&stage.address, &["--name", "ana"]);
    ana.sees("ana> ");
    ana.types("one\r");
    assert_eq!(texts(&eva, "one"), ["ana has joined the net", "one"]);
    // Between two lines the terminal is as it was before, and would take the ^D for itself.
    ana.sees(": one");
    ana.sees("ana> ");
    ana.types("\x04");
    ana.leaves_with(0);
    eva.publish("while ana is away").unwrap();
    texts(&eva, "while ana is away");
    // What was said in between is there.
    let mut ana = Person::sits_down(&stage.address, &["--name", "ana"]);
    ana.sees("while ana is away");
    ana.types("/leave\r");
    ana.sees("the session of ana has ended, and everybody was told");
    ana.leaves_with(0);
    assert_eq!(
        texts(&eva, "ana has left the net").len(),
        1,
        "and not the command"
    );
}

#[test]
fn the_session_can_be_ended_on_a_plain_terminal_and_by_a_flag() {
    let stage = Stage::new();
    let eva = stage.client("eva");
    let mut ana = Person::sits_down_at("dumb", &stage.address, &["--name", "ana"]);
    ana.types("/leave\n");
    ana.sees("the session of ana has ended");
    ana.leaves_with(0);
    texts(&eva, "ana has left the net");
    let mut ana = Person::sits_down(&stage.address, &["--name", "ana", "--on-exit", "leave"]);
    ana.sees("ana> ");
    ana.types("\x04");
    ana.sees("the session of ana has ended");
    texts(&eva, "ana has left the net");
}

#[test]
fn what_a_keyboard_can_send_throws_nobody_out() {
    let stage = Stage::new();
    let eva = stage.client("eva");
    let mut ana = Person::sits_down(&stage.address, &["--name", "ana"]);
    ana.sees("ana> ");
    // A byte of Latin-1, which UTF-8 takes for the beginning of a longer character.
    ana.types("caf");
    ana.sees("caf");
    ana.sends(b"\xe9!");
    ana.sees("is no UTF-8");
    ana.types("?\r");
    texts(&eva, "caf\u{fffd}?");
    ana.types("a\tb\r");
    texts(&eva, "a\tb");
    ana.types("\0nul\r");
    texts(&eva, "nul");
    ana.types("\x1b[200~one\r\n\r\ntwo\nthree\x1b[201~");
    ana.types("\r");
    assert_eq!(texts(&eva, "three"), ["one", "two", "three"]);
    ana.types("\x04");
    ana.leaves_with(0);
}

#[test]
fn a_terminal_that_goes_away_is_an_end() {
    let stage = Stage::new();
    let eva = stage.client("eva");
    for kind in ["xterm", "dumb"] {
        let arguments = ["--name", "ana", "--on-exit", "leave"];
        let mut ana = Person::sits_down_at(kind, &stage.address, &arguments);
        ana.types("hola\r");
        texts(&eva, "hola");
        ana.loses_the_terminal();
        texts(&eva, "ana has left the net");
        ana.leaves_with(0);
    }
}

#[test]
fn a_hangup_leaves() {
    let stage = Stage::new();
    let eva = stage.client("eva");
    // Without a name it cannot come back.
    let mut ana = Person::sits_down(&stage.address, &[]);
    ana.types("hola\r");
    texts(&eva, "hola");
    kill_process(Pid::from_child(ana.child()), Signal::HUP).unwrap();
    let left = eva.next_delivery(DEADLINE).unwrap().unwrap();
    assert!(left.message.ends_with(b" has left the net"), "{left:?}");
    ana.leaves_with(0);
    is_quiet(&eva);
}
