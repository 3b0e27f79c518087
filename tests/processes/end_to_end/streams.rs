//! Streams and descriptors that are closed, full, or read by nobody: none of them decides over
//! serving.

use std::fs::{self, File};
use std::io::Read;
use std::process::{Command, Stdio};

use orden_kit::dealer::Dealer;
use orden_kit::poll;
use orden_kit::programs::broker::{Broker, command, run};
use rustix::process::{Pid, Signal, kill_process};

/// A broker on a socket file, for those whose standard output says nothing.
fn start(flags: &[&str], how: impl FnOnce(&mut Command)) -> (std::process::Child, String) {
    let directory = tempfile::tempdir().unwrap().keep();
    let endpoint = format!("ipc://{}", directory.join("broker").display());
    let mut command = command();
    command.args(["--in-memory", "--address", &endpoint]);
    command.args(flags);
    command.stdin(Stdio::null());
    how(&mut command);
    (command.spawn().unwrap(), endpoint)
}

/// It serves, and stops when it is told to.
fn serves_and_stops(mut broker: std::process::Child, endpoint: &str) {
    let mut ana = Dealer::join(endpoint, "ana");
    ana.say("hola");
    while ana.next().text() != "ana: hola" {}
    kill_process(Pid::from_child(&broker), Signal::TERM).unwrap();
    let ended = poll(|| broker.try_wait().unwrap(), "the end of the broker");
    assert_eq!(ended.code(), Some(0));
}

/// The writing end of a pipe that nobody reads from any more.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    File::options()
        .write(true)
        .open("/dev/full")
        .unwrap()
        .into()
}

#[test]
fn a_closed_or_full_standard_output_keeps_nobody_from_being_served() {
    for stdout in [closed_pipe(), full()] {
        let log = tempfile::NamedTempFile::new().unwrap();
        let path = log.path().to_str().unwrap().to_owned();
        let (broker, endpoint) = start(&["--log-file", &path], |command| {
            command.stdout(stdout).stderr(closed_pipe());
        });
        serves_and_stops(broker, &endpoint);
        let said = fs::read_to_string(&path).unwrap();
        assert!(
            said.contains(&format!("listening on {endpoint}, which")),
            "{said}"
        );
    }
}

#[test]
fn a_standard_error_that_nobody_reads_stops_nothing() {
    // Of one that is full from the start, and of one that fills.
    let (reader, writer) = std::io::pipe().unwrap();
    for stderr in [full(), writer.into()] {
        let (broker, endpoint) = start(&["--log-level", "info"], |command| {
            command.stdout(Stdio::null()).stderr(stderr);
        });
        // Some hundred bytes a line, and a pipe takes 64 KiB.
        for number in 0..400 {
            drop(Dealer::join(&endpoint, &format!("{number:0>200}")));
        }
        serves_and_stops(broker, &endpoint);
    }
    drop(reader);
}

#[test]
fn lines_that_are_lost_are_counted() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let (broker, endpoint) = start(&["--max-members", "100000"], |command| {
        command.stdout(Stdio::null()).stderr(writer);
    });
    let mut witness = Dealer::join(&endpoint, "witness");
    // More lines than the pipe and the queue before it take; status lines are not limited. On a
    // busy machine many of the signals below become one.
    for number in 0..60 {
        Dealer::join(&endpoint, &format!("{number:0>200}")).say("here");
    }
    witness.say("here");
    while witness.next().text() != "witness: here" {}
    let pid = Pid::from_child(&broker);
    for _ in 0..3000 {
        kill_process(pid, Signal::USR1).unwrap();
        witness.say("on");
        while witness.next().text() != "witness: on" {}
    }
    // From here on it is read.
    let collected = std::thread::spawn(move || {
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        said
    });
    for _ in 0..3 {
        kill_process(pid, Signal::USR1).unwrap();
        witness.say("on");
        while witness.next().text() != "witness: on" {}
    }
    serves_and_stops(broker, &endpoint);
    let said = collected.join().unwrap();
    assert!(
        said.contains("lines of this log were lost"),
        "{} bytes",
        said.len()
    );
}

#[test]
fn a_log_file_that_is_full_or_is_none_is_named() {
    let broker = Broker::in_memory(&["--log-file", "/dev/full"]);
    let words = "cannot write to the log file /dev/full: No space left";
    broker.program().complaint(0, words);
    let mut ana = Dealer::join(broker.endpoint(), "ana");
    ana.say("hola");
    assert_eq!(ana.next().text(), "ana: hola");

    let path = "/no/such/directory/log";
    let end = run(command().args(["--in-memory", "--address", ":0", "--log-file", path]));
    assert_eq!(end.code(), Some(3));
    assert!(end.complaint.contains(path), "{}", end.complaint);
}

#[test]
fn keys_are_made_whether_or_not_anybody_hears_where() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = command();
    command.arg("keygen").arg(directory.path());
    let ended = command.stdout(closed_pipe()).stderr(closed_pipe()).status();
    assert_eq!(ended.unwrap().code(), Some(0));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[test]
fn too_few_descriptors_are_said_at_the_start() {
    for limit in [16, 30] {
        let shell = format!("ulimit -n {limit}; exec \"$0\" \"$@\"");
        let broker = command();
        let mut command = Command::new("sh");
        command.arg("-c").arg(shell).arg(broker.get_program());
        command.args(["--in-memory", "--address", ":0"]);
        let end = run(&mut command);
        assert_eq!(end.code(), Some(3), "{}", end.complaint);
        let words = format!("only {limit} files may be open");
        assert!(end.complaint.contains(&words), "{}", end.complaint);
    }
}
