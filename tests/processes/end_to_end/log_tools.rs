//! `orden-broker log …` beside a broker, and on what it leaves.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use orden_kit::dealer::Dealer;
use orden_kit::programs::broker::{self, Broker};
use orden_kit::programs::{End, Program};

fn log(command: &str, paths: &[&Path]) -> End {
    broker::run(broker::command().args(["log", command]).args(paths))
}

#[test]
fn a_check_of_nothing_fails_and_says_what_is_there() {
    let parent = TempDir::new().unwrap();
    let used = parent.path().join("used");
    fs::create_dir(&used).unwrap();
    fs::write(used.join("LOCK"), "").unwrap();
    for (dir, what) in [
        (used.as_path(), "holds no segment"),
        (parent.path(), "holds other files"),
    ] {
        let end = log("check", &[dir]);
        assert_eq!(end.code(), Some(2), "{}", end.complaint);
        assert!(end.complaint.contains(what), "{}", end.complaint);
        assert!(end.lines.is_empty(), "{:?}", end.lines);
        assert_eq!(log("dump", &[dir]).code(), Some(3));
    }
    let end = log("check", &[&parent.path().join("nowhere")]);
    assert_eq!(end.code(), Some(3), "{}", end.complaint);
}

#[test]
fn a_dump_follows_the_broker_over_its_restart() {
    let broker = Broker::start(&[]);
    let mut ana = Dealer::join(broker.endpoint(), "ana");
    ana.say("uno");
    ana.next_until("ana: uno");
    let mut command = broker::command();
    command.args(["log", "dump", "--follow", "--count", "4", "--format"]);
    let dump = Program::start("log dump", command.arg("text").arg(broker.data()));
    assert_eq!(dump.line(), "0 Server: ana has joined the net");
    assert_eq!(dump.line(), "1 ana: uno");
    ana.say("dos");
    assert_eq!(dump.line(), "2 ana: dos");
    let broker = broker.kill().start();
    ana.say("tres");
    ana.next_until("ana: tres");
    assert_eq!(dump.finish(), ["3 ana: tres"]);
    drop(broker);
}

#[test]
fn a_backup_is_taken_while_it_runs_and_a_broker_starts_on_it() {
    let broker = Broker::start(&[]);
    let mut ana = Dealer::join(broker.endpoint(), "ana");
    ana.say("uno");
    ana.next_until("ana: uno");
    let parent = TempDir::new().unwrap();
    let to = parent.path().join("copy");
    let end = log("backup", &[broker.data(), &to]);
    assert_eq!(end.code(), Some(0), "{}", end.complaint);
    // What comes later is not in it, and the broker goes on.
    ana.say("dos");
    ana.next_until("ana: dos");
    assert_eq!(log("backup", &[broker.data(), &to]).code(), Some(3));
    assert_eq!(log("check", &[&to]).code(), Some(0));
    assert_eq!(
        log("dump", &[&to]).lines,
        ["0 Server: ana has joined the net", "1 ana: uno"]
    );
    drop(broker);
    let copied = Broker::start(&["--data", to.to_str().unwrap()]);
    let status = copied.status();
    assert_eq!(status.next, 2);
    assert!(status.members.contains_key("ana"));
}

#[test]
fn what_is_whole_is_salvaged_into_a_log_that_a_broker_starts_on() {
    let broker = Broker::start(&[]);
    let mut ana = Dealer::join(broker.endpoint(), "ana");
    for text in ["uno", "dos", "tres"] {
        ana.say(text);
        ana.next_until(&format!("ana: {text}"));
    }
    let (end, stopped) = broker.stop();
    assert_eq!(end.code(), Some(0), "{}", end.complaint);
    let file = stopped.data().join("00000000000000000001.segment");
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.windows(3).position(|text| text == b"dos").unwrap();
    bytes[at] = b'D';
    fs::write(&file, bytes).unwrap();
    let refused = broker::run(&mut stopped.command());
    assert_eq!(refused.code(), Some(2), "{}", refused.complaint);
    let parent = TempDir::new().unwrap();
    let to = parent.path().join("saved");
    let end = log("salvage", &[stopped.data(), &to]);
    assert_eq!(end.code(), Some(0), "{}", end.complaint);
    assert!(
        end.lines.contains(&"LOST message 2".to_owned()),
        "{:?}",
        end.lines
    );
    let said = [
        "0 Server: ana has joined the net",
        "1 ana: uno",
        "2 ana: tres",
    ];
    assert_eq!(log("dump", &[&to]).lines, said);
    let saved = Broker::start(&["--data", to.to_str().unwrap()]);
    assert_eq!(saved.status().next, 3);
}
