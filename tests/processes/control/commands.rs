//! The commands, one by one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

use orden_kit::dealer::Dealer;
use orden_kit::poll;
use orden_kit::programs::broker::{Broker, command, run};
use orden_kit::programs::{Program, client};
use rustix::process::Signal;
use serde_json::Value;

use super::{done, operated, status};

#[test]
fn it_says_how_it_is_and_who_is_how_far() {
    let broker = Broker::start(&[]);
    let mut ana = Dealer::join(broker.endpoint(), "ana");
    ana.say("hola");
    ana.next_until("ana: hola");
    let shown = poll(
        || Some(status(&broker)).filter(|status| status["lag"]["max"] == 0),
        "the ACK is heard",
    );
    assert_eq!(
        (&shown["next_order"], &shown["epoch"]),
        (&2.into(), &1.into())
    );
    assert_eq!(shown["members"]["present"], 1);
    assert!(shown["log"]["segments"].as_u64() > Some(0));
    let text = done(&broker, &["status"]);
    assert!(text.contains("members     1 present, 0 away"), "{text}");
    let text = done(&broker, &["members"]);
    assert!(
        text.lines()
            .nth(1)
            .unwrap()
            .starts_with("ana   binary  present"),
        "{text}"
    );
    let page = done(&broker, &["members", "--format", "json", "--sort", "lag"]);
    let page: Value = serde_json::from_str(&page).unwrap();
    assert_eq!(
        (&page["total"], &page["members"][0]["floor"]),
        (&1.into(), &2.into())
    );
    let mode = fs::metadata(broker.data().join("control"))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
}

#[test]
fn members_come_in_pages() {
    let broker = Broker::start(&[]);
    let _members: Vec<_> = (0..5)
        .map(|number| Dealer::join(broker.endpoint(), &format!("m{number}")))
        .collect();
    broker.await_status("all are there", |status| status.members.len() == 5);
    let page = |after: &[&str]| {
        let words = [&["members", "--format", "json", "--limit", "2"], after].concat();
        serde_json::from_str::<Value>(&done(&broker, &words)).unwrap()
    };
    let first = page(&[]);
    assert_eq!(first["next"], "m1");
    let last = page(&["--after", "m3"]);
    assert_eq!(
        (&last["members"][0]["name"], last.get("next")),
        (&"m4".into(), None)
    );
}

#[test]
fn a_member_is_kicked_and_keeps_its_session() {
    let broker = Broker::start(&[]);
    let ana = client::start(broker.address(), &["--name", "ana", "--follow"]);
    let bea = Dealer::join(broker.endpoint(), "bea");
    broker.await_status("both are there", |status| status.members.len() == 2);
    done(&broker, &["kick", "ana"]);
    let end = ana.end_by_itself();
    assert!(
        !end.success() && end.complaint.contains("removed"),
        "{}",
        end.complaint
    );
    let members = broker.status().members;
    assert!(!members["ana"].present, "{members:?}");
    let again = operated(&broker, &["kick", "ana"]);
    assert_eq!(again.code(), Some(3));
    assert!(
        again.complaint.contains("not connected"),
        "{}",
        again.complaint
    );
    // A peer of a fixed dialect has no word for it. Its connection ends, libzmq makes another, and
    // what it says there it says as the same member. What it says before that is lost with it.
    done(&broker, &["kick", "bea"]);
    assert!(!broker.status().members["bea"].present);
    broker.await_status("bea is served again", |status| {
        bea.say("¿sigo aquí?");
        status.members["bea"].present && bea.hear_now().is_some()
    });
}

#[test]
fn a_session_is_ended_and_all_are_told() {
    let broker = Broker::start(&[]);
    let ana = client::start(broker.address(), &["--name", "ana", "--follow"]);
    broker.await_status("ana is there", |status| status.members.contains_key("ana"));
    let mut bea = Dealer::member(broker.endpoint(), "bea");
    done(&broker, &["end", "ana"]);
    bea.next_until("Server: ana has left the net");
    let end = ana.end_by_itself();
    assert!(
        !end.success() && end.complaint.contains("session"),
        "{}",
        end.complaint
    );
    assert!(!broker.status().members.contains_key("ana"));
    let unknown = operated(&broker, &["end", "ana"]);
    assert_eq!(unknown.code(), Some(3));
    assert!(
        unknown.complaint.contains("hint: `orden-broker members`"),
        "{}",
        unknown.complaint
    );
}

#[test]
fn the_log_file_is_opened_anew() {
    let directory = tempfile::tempdir().unwrap();
    let (path, old) = (directory.path().join("log"), directory.path().join("log.1"));
    let broker = Broker::start(&["--log-file", path.to_str().unwrap()]);
    let said = |what: &str| {
        let is_said = || {
            fs::read_to_string(&path)
                .ok()
                .filter(|text| text.contains(what))
        };
        poll(is_said, "it stands in the log file")
    };
    said("members known");
    fs::rename(&path, &old).unwrap();
    broker.program().signal(Signal::HUP);
    assert!(!said("reloaded: log file").contains("members known"));
    fs::rename(&path, &old).unwrap();
    assert_eq!(done(&broker, &["reload"]), "reloaded: log file");
    done(&broker, &["drain"]);
    said("drained");
}

#[test]
fn one_that_a_killed_broker_has_left_is_replaced_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("somewhere");
    let flags = ["--control", path.to_str().unwrap()];
    let start = || Broker::in_memory(&flags);
    let broker = start();
    let status = || {
        let mut status = command();
        run(status.args(["status"]).args(flags)).success()
    };
    assert!(status());
    let refused = run(command()
        .args(["--address", "127.0.0.1:0", "--in-memory"])
        .args(flags));
    assert_eq!(refused.code(), Some(3));
    assert!(
        refused.complaint.contains("another broker answers there"),
        "{}",
        refused.complaint
    );
    drop(broker.kill());
    assert!(path.exists(), "nobody has removed it");
    let broker = start();
    assert!(status());
    let (end, _) = broker.stop();
    assert!(end.success() && !path.exists());
    fs::write(&path, "important").unwrap();
    let refused = run(command()
        .args(["--address", "127.0.0.1:0", "--in-memory"])
        .args(flags));
    assert_eq!(refused.code(), Some(3));
    assert_eq!(fs::read(&path).unwrap(), b"important");
}

#[test]
fn a_directory_may_have_a_long_path() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("long".repeat(40));
    let broker = Broker::start(&["--data", data.to_str().unwrap()]);
    assert_eq!(status(&broker)["epoch"], 1);
}

#[test]
fn a_status_is_watched_until_nobody_reads() {
    let broker = Broker::start(&[]);
    let mut words = super::operate(&broker, &["status", "--format", "json", "--watch"]);
    let mut watch = Program::start("status", &mut words);
    for _ in 0..2 {
        assert!(watch.line().contains("\"next_order\":0"));
    }
    watch.close_output();
    let end = watch.end_by_itself();
    assert_eq!(end.code(), Some(0), "{}", end.complaint);
}

#[test]
fn where_no_broker_is_none_answers() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("control");
    let ask = || run(command().arg("status").arg("--data").arg(directory.path()));
    let none = ask();
    assert_eq!(none.code(), Some(3));
    assert!(
        none.complaint.contains("hint: is a broker running?"),
        "{}",
        none.complaint
    );
    let listener = UnixListener::bind(&socket).unwrap();
    let answering = std::thread::spawn(move || drop(listener.accept().unwrap()));
    assert_eq!(ask().code(), Some(3), "what hangs up is no broker");
    answering.join().unwrap();
}

#[test]
fn shells_complete_it() {
    for shell in ["bash", "zsh", "fish"] {
        let end = run(command().args(["completions", shell]));
        let text = end.lines.join("\n");
        assert!(
            end.success() && text.contains("drain"),
            "{shell}: {text:.200}"
        );
    }
}
