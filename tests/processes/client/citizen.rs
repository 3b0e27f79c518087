//! `orden-client` among other programs: streams and signals as shells, supervisors and event loops
//! hand them over.

use std::io::{BufRead, BufReader, Read, Write, pipe};
use std::os::fd::AsFd;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};

use super::program::{Program, command};
use super::stage::{DEADLINE, Stage, pause, retry};

fn client(stage: &Stage, arguments: &[&str]) -> Command {
    let address = stage.address.to_string();
    command(&[&["--address", &address], arguments].concat())
}

/// The same through a shell that begins with `preparation`.
fn in_shell(stage: &Stage, preparation: &str, arguments: &[&str]) -> Command {
    let client = client(stage, arguments);
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!("{preparation}; exec \"$0\" \"$@\""));
    shell.arg(client.get_program()).args(client.get_args());
    for (variable, _) in client.get_envs() {
        shell.env_remove(variable);
    }
    shell
}

fn make_non_blocking(stream: impl AsFd) {
    let flags = fcntl_getfl(&stream).unwrap();
    fcntl_setfl(&stream, flags | OFlags::NONBLOCK).unwrap();
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Waits for the end of a child and gives what it wrote to standard error.
fn end(mut child: Child) -> (Option<i32>, String) {
    let mut complaint = String::new();
    let errors = child.stderr.as_mut().unwrap();
    errors.read_to_string(&mut complaint).unwrap();
    (child.wait().unwrap().code(), complaint)
}

#[test]
fn a_slow_reader_of_a_non_blocking_pipe_gets_every_line() {
    const LINES: usize = 2_000;
    let stage = Stage::new();
    let ana = stage.client("ana");
    let ben = stage.client("ben");
    for number in 0..LINES {
        ana.publish(format!("{number} {}", ".".repeat(200)))
            .unwrap();
    }
    ana.flush(DEADLINE).unwrap();
    drop(ben);
    let (mut read, write) = pipe().unwrap();
    make_non_blocking(&write);
    let count = LINES.to_string();
    let child = client(&stage, &["--name", "eva", "--from", "2", "--count", &count])
        .stdin(Stdio::null())
        .stdout(write)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // By then the pipe is full, and a write fails.
    retry(|| stage.has_member("eva").then_some(()));
    pause(Duration::from_millis(200));
    let mut text = String::new();
    read.read_to_string(&mut text).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(end(child), (Some(0), String::new()));
    assert_eq!(lines.len(), LINES);
    assert!(lines.iter().all(|line| line.len() > 200), "none is cut");
}

#[test]
fn an_empty_non_blocking_pipe_is_not_the_end() {
    let stage = Stage::new();
    let (read, mut write) = pipe().unwrap();
    make_non_blocking(&read);
    let child = client(&stage, &["--name", "ana", "--publish-only"])
        .stdin(read)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    retry(|| stage.has_member("ana").then_some(()));
    write.write_all(b"one\n").unwrap();
    retry(|| (stage.next_order() > 1).then_some(()));
    write.write_all(b"two\n").unwrap();
    drop(write);
    assert_eq!(end(child), (Some(0), String::new()));
}

#[test]
fn lines_may_end_as_on_windows() {
    let stage = Stage::new();
    let mut ana = Program::start(&stage.address, &["--name", "ana"]);
    ana.tell("one\r\n\r\ntwo\r");
    assert_eq!(ana.finish(), ["1 ana: one", "2 ana: ", "3 ana: two\\r"]);
}

#[test]
fn what_was_ignored_stays_ignored() {
    let stage = Stage::new();
    let mut child = in_shell(&stage, "trap '' HUP", &["--name", "ana", "--follow"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    retry(|| stage.has_member("ana").then_some(()));
    signal(&child, Signal::HUP);
    child
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"still here\n")
        .unwrap();
    let mut line = [0; 18];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut line)
        .unwrap();
    assert_eq!(&line, b"1 ana: still here\n");
    signal(&child, Signal::TERM);
    assert_eq!(end(child), (Some(0), String::new()));
}

/// A client that waits for its broker.
fn waiting(command: &mut Command) -> (Child, BufReader<ChildStderr>) {
    let streams = command.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = streams.spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    assert!(line.contains("no broker answers"), "{line}");
    (child, errors)
}

fn is_stopped(mut child: Child, mut errors: BufReader<ChildStderr>) {
    let mut complaint = String::new();
    errors.read_to_string(&mut complaint).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3), "{complaint}");
    let words = "stopped before the broker has answered";
    assert!(complaint.contains(words), "{complaint}");
}

#[test]
fn a_signal_ends_what_waits_for_its_broker() {
    let mut stage = Stage::durable();
    stage.stop();
    for sent in [Signal::TERM, Signal::INT, Signal::HUP] {
        let (child, errors) = waiting(&mut client(&stage, &["--name", "ana"]));
        signal(&child, sent);
        is_stopped(child, errors);
    }
}

/// As process number 1, which no signal ends that it does not handle. It needs a process
/// namespace, which root can make, and elsewhere every user.
#[test]
fn number_1_is_ended_by_a_signal_like_any_other() {
    let unshare = || {
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--pid", "--fork"]);
        unshare
    };
    if !unshare()
        .arg("true")
        .status()
        .is_ok_and(|status| status.success())
    {
        return;
    }
    let mut stage = Stage::durable();
    stage.stop();
    let client = client(&stage, &["--name", "ana"]);
    let mut inside = unshare();
    // Who is in the namespace can signal its number 1; it does so when its own input ends.
    let script = "exec 3<&0; (cat <&3; kill -TERM 1) & exec \"$0\" \"$@\" 3<&- <&-";
    inside.args(["sh", "-c", script]);
    inside.arg(client.get_program()).args(client.get_args());
    let (mut child, errors) = waiting(&mut inside);
    drop(child.stdin.take());
    is_stopped(child, errors);
}

#[test]
fn two_interrupts_at_once_are_one() {
    let stage = Stage::new();
    let eva = stage.client("eva");
    let arguments = ["--name", "ana", "--follow", "--on-exit", "leave"];
    let mut ana = Program::start(&stage.address, &arguments);
    ana.tell("hola\n");
    assert_eq!(ana.line(), "2 ana: hola");
    ana.signal(Signal::INT);
    pause(Duration::from_millis(1));
    ana.signal(Signal::INT);
    let end = ana.end_by_itself();
    assert_eq!(end.code, Some(0), "{end:?}");
    let mut last = Vec::new();
    while last != b"ana has left the net" {
        last = eva.next_delivery(DEADLINE).unwrap().unwrap().message;
    }
}

#[test]
fn a_reader_that_goes_is_noticed_in_a_quiet_order() {
    let stage = Stage::new();
    let mut child = client(&stage, &["--name", "ana", "--follow"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    retry(|| stage.has_member("ana").then_some(()));
    drop(child.stdout.take());
    // Nothing is ordered, and its input does not end.
    let input = child.stdin.take();
    assert_eq!(end(child), (Some(0), String::new()));
    drop(input);
}

#[test]
fn closed_and_full_streams_are_no_panic() {
    let stage = Stage::new();
    for preparation in [
        "exec 2>&-",
        "exec 2>/dev/full",
        "exec >&- 2>&-",
        "exec <&- >&- 2>&-",
    ] {
        let mut shell = in_shell(&stage, preparation, &[]);
        let mut child = shell.stdin(Stdio::piped()).spawn().unwrap();
        // It may have closed its input.
        child.stdin.take().unwrap().write_all(b"hola\n").ok();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{preparation}");
    }
    let (read, write) = pipe().unwrap();
    drop(read);
    let mut nameless = client(&stage, &[]);
    let mut child = nameless.stdin(Stdio::null()).stderr(write).spawn().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn standard_error_that_is_full_holds_nothing_up() {
    let stage = Stage::new();
    let (_read, write) = pipe().unwrap();
    make_non_blocking(&write);
    while rustix::io::write(&write, &[b'.'; 4096]).is_ok() {}
    let flags = fcntl_getfl(&write).unwrap();
    fcntl_setfl(&write, flags - OFlags::NONBLOCK).unwrap();
    let mut child = client(&stage, &["--log-level", "debug", "--name", "ana"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(write)
        .spawn()
        .unwrap();
    let lines = "hola\n".repeat(5000);
    child
        .stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    let mut text = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(text.lines().count(), 5000);
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let stage = Stage::new();
    let mut nameless = client(&stage, &["--count", "1"]);
    let variables = [
        "ADDRESS",
        "COUNT",
        "CURVE_KEY",
        "FORMAT",
        "FROM",
        "LOG_LEVEL",
        "NAME",
        "PATIENCE",
        "RESUME",
    ];
    for variable in variables {
        nameless.env(format!("ORDEN_{variable}"), "");
    }
    let streams = nameless.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = streams.stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"hola\n").unwrap();
    let mut text = String::new();
    let mut output = child.stdout.take().unwrap();
    output.read_to_string(&mut text).unwrap();
    let (code, complaint) = end(child);
    assert_eq!(code, Some(0), "{complaint}");
    assert!(
        text.starts_with("1 client-") && text.ends_with(": hola\n"),
        "{text}"
    );
}
