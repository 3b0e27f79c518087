//! The benchmark as people and scripts use it: what it prints, how it ends, what it leaves behind.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use orden_kit::{poll, programs};
use serde_json::Value;

/// A run with these flags, its log within `data`.
fn bench(data: &Path, flags: &str) -> Command {
    let mut command = programs::command("orden-bench");
    command.args(flags.split_whitespace());
    if !flags.contains("bare") && !flags.contains("in-memory") {
        command.arg("--data").arg(data);
    }
    command
}

fn finish(mut command: Command) -> (Output, String) {
    let output = command.output().expect("it starts");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, complaint)
}

fn is_empty(directory: &Path) -> bool {
    let mut entries = std::fs::read_dir(directory).expect("it can be read");
    entries.next().is_none()
}

#[test]
fn every_dialect_delivers_everything_once_and_in_one_order() {
    for flags in [
        "--dialect bare",
        "--dialect bare --batch 7",
        "--dialect native",
        "--dialect native --in-memory --stalled 1",
        "--dialect binary --sync never",
        "--dialect json --sync 20",
        "--dialect native --curve",
        "--dialect binary --curve --in-memory",
        "--dialect bare --curve",
    ] {
        let data = tempfile::tempdir().unwrap();
        let load = "--subscribers 3 --publishers 2 --messages 1001 --size 64 --format json";
        let (output, complaint) = finish(bench(data.path(), &format!("{flags} {load}")));
        assert!(output.status.success(), "{flags}: {complaint}");
        let line = String::from_utf8(output.stdout).unwrap();
        assert_eq!(line.lines().count(), 1, "{flags}: {line}");
        let figures: Value = serde_json::from_str(&line).unwrap();
        for (field, expected) in [
            ("publishers", 2),
            ("subscribers", 3),
            ("messages", 1001),
            ("size", 64),
            ("rate", 0),
            ("orders", 1),
            ("lost", 0),
            ("duplicated", 0),
            ("stalls", 0),
        ] {
            assert_eq!(figures[field], expected, "{flags}: {field} in {line}");
        }
        for field in [
            "seconds",
            "deliveries_per_second",
            "p50_us",
            "p99_us",
            "p999_us",
            "max_us",
        ] {
            let figure = figures[field].as_f64();
            assert!(
                figure.is_some_and(|figure| figure > 0.0),
                "{flags}: {field} in {line}"
            );
        }
        assert_eq!(figures["curve"], flags.contains("curve"), "{flags}: {line}");
        let is_confirmed = figures["confirm_p50_us"].as_f64() > Some(0.0);
        assert_eq!(is_confirmed, !flags.contains("bare"), "{flags}: {line}");
        let dialect = figures["dialect"].as_str().unwrap();
        assert!(flags.contains(dialect), "{flags}: {line}");
        assert!(is_empty(data.path()), "{flags}: something was left behind");
    }
}

#[test]
fn the_publisher_never_waits_for_nothing() {
    // Many windows long: each end of one is a chance to miss what opened it again.
    let data = tempfile::tempdir().unwrap();
    let flags = "--in-memory --subscribers 2 --messages 400000 --size 16 --format json";
    let (output, complaint) = finish(bench(data.path(), flags));
    assert!(output.status.success(), "{complaint}");
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(figures["stalls"], 0, "{figures}");
}

#[test]
fn a_rate_is_kept() {
    let data = tempfile::tempdir().unwrap();
    let flags = "--in-memory --messages 400 --rate 1000 --format json";
    let (output, complaint) = finish(bench(data.path(), flags));
    assert!(output.status.success(), "{complaint}");
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    // The last of them is due after 0.399 s, however busy the machine is.
    assert!(figures["seconds"].as_f64().unwrap() >= 0.39, "{figures}");
}

#[test]
fn people_get_a_table() {
    let data = tempfile::tempdir().unwrap();
    let (output, complaint) = finish(bench(data.path(), "--messages 100 --subscribers 1"));
    assert!(
        output.status.success() && complaint.is_empty(),
        "{complaint}"
    );
    let table = String::from_utf8(output.stdout).unwrap();
    for part in ["throughput", "latency", "1 order, 0 lost, 0 duplicated"] {
        assert!(table.contains(part), "{table}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let data = tempfile::tempdir().unwrap();
    for (flags, reason) in [
        ("--size 15", "takes 16 bytes"),
        ("--dialect json --size 31", "takes 32 bytes"),
        ("--dialect native --batch 2", "--batch"),
        ("--dialect bare --stalled 1", "--stalled"),
        ("--publishers 0", "at least one"),
        ("--dialect esperanto", "esperanto"),
    ] {
        let (output, complaint) = finish(bench(data.path(), flags));
        assert_eq!(output.status.code(), Some(1), "{flags}: {complaint}");
        assert!(complaint.contains(reason), "{flags}: {complaint}");
    }
}

#[test]
fn a_run_that_cannot_finish_fails_and_says_what_is_missing() {
    let data = tempfile::tempdir().unwrap();
    let flags = "--rate 10 --messages 1000 --deadline 1 --format json";
    let (output, complaint) = finish(bench(data.path(), flags));
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(figures["lost"].as_u64() > Some(0), "{figures}");
    let failure = figures["failure"].as_str().unwrap();
    assert!(failure.contains("longer than 1s"), "{failure}");
    assert!(is_empty(data.path()), "the log stayed");
}

#[test]
fn nobody_at_the_address_is_said_so() {
    for dialect in ["native", "binary"] {
        let mut command = programs::command("orden-bench");
        command.args([
            "--address",
            "127.0.0.1:1",
            "--patience",
            "1",
            "--dialect",
            dialect,
        ]);
        let (output, complaint) = finish(command);
        assert_eq!(output.status.code(), Some(3), "{complaint}");
        assert!(complaint.contains("no"), "{complaint}");
    }
}

#[test]
fn an_interruption_leaves_nothing_behind() {
    let data = tempfile::tempdir().unwrap();
    let flags = "--rate 10 --messages 10000 --subscribers 1";
    let mut child = bench(data.path(), flags)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    poll(|| (!is_empty(data.path())).then_some(()), "its directory");
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130), "{status}");
    assert!(is_empty(data.path()), "the log stayed");
}

#[test]
fn a_comparison_runs_all_of_them_and_judges() {
    let data = tempfile::tempdir().unwrap();
    let picture = data.path().join("speed.svg");
    let mut command = programs::command("orden-bench");
    command.args([
        "compare", "--rounds", "2", "--scale", "0.002", "--format", "json",
    ]);
    command
        .args(["--parts", "speed,latency,rates,singly", "--data"])
        .arg(data.path());
    command.arg("--plot").arg(&picture);
    let (output, complaint) = finish(command);
    // So short a run says nothing of how fast anything is: 4 is as good as 0.
    assert!(matches!(output.status.code(), Some(0 | 4)), "{complaint}");
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        figures["met"].as_bool(),
        Some(output.status.success()),
        "{figures}"
    );
    assert!(figures["sync_us"].as_f64() > Some(0.0), "{figures}");
    let runs = figures["runs"].as_array().unwrap();
    let names: Vec<_> = runs
        .iter()
        .map(|run| run["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 27, "{names:?}");
    for run in runs {
        assert_eq!(run["rounds"].as_array().map(Vec::len), Some(2), "{run}");
        assert!(run["deliveries_per_second"].as_f64() > Some(0.0), "{run}");
    }
    assert_eq!(
        figures["thresholds"].as_array().map(Vec::len),
        Some(11),
        "{figures}"
    );
    let drawn = std::fs::read_to_string(&picture).unwrap();
    assert!(drawn.contains("bare, one message a frame"), "{drawn}");
    std::fs::remove_file(picture).unwrap();
    assert!(is_empty(data.path()), "something was left behind");
}

#[test]
fn a_run_can_be_looked_at() {
    let data = tempfile::tempdir().unwrap();
    let picture = data.path().join("run.svg");
    let mut command = bench(
        data.path(),
        "--in-memory --messages 2000 --subscribers 2 --plot",
    );
    command.arg(&picture);
    let (output, complaint) = finish(command);
    assert!(output.status.success(), "{complaint}");
    let drawn = std::fs::read_to_string(picture).unwrap();
    assert!(
        drawn.starts_with("<svg") && drawn.ends_with("</svg>\n"),
        "{drawn}"
    );
    for words in [
        "Latency, by share",
        "Deliveries a second",
        "99 %",
        "native, in memory",
    ] {
        assert!(drawn.contains(words), "{words} is not in {drawn}");
    }
}

#[test]
fn a_log_is_reopened_and_read() {
    let data = tempfile::tempdir().unwrap();
    let flags = "reopen --messages 20000 --format json";
    let (output, complaint) = finish(bench(data.path(), flags));
    assert!(output.status.success(), "{complaint}");
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(figures["messages"], 20_000);
    assert!(figures["log_bytes"].as_u64().unwrap() > 20_000 * 120);
    for field in ["reopen_seconds", "read_seconds", "read_messages_per_second"] {
        assert!(figures[field].as_f64().unwrap() > 0.0, "{field}");
    }
    assert!(is_empty(data.path()));
}
