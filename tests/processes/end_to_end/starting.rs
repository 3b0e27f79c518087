//! From the command line to the line that says that it serves, or why it does not.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use orden_kit::dealer::Dealer;
use orden_kit::programs::broker::{Broker, command, run};
use orden_kit::programs::{End, Program};

/// It ended with this code and said these words, the first of them in its first line.
#[track_caller]
fn assert_ended(end: &End, code: i32, words: &[&str]) {
    assert_eq!(end.code(), Some(code), "{}", end.complaint);
    for word in words {
        assert!(
            end.complaint.contains(word),
            "no {word:?} in:\n{}",
            end.complaint
        );
    }
    assert_eq!(end.lines, [""; 0], "standard output is for `listening on`");
}

fn run_with(flags: &[&str]) -> End {
    run(command().args(flags))
}

#[test]
fn a_line_for_each_endpoint_once_it_serves() {
    let broker = Broker::in_memory(&["--tcp-address", ":0"]);
    let port = broker.endpoint().strip_prefix("tcp://127.0.0.1:").unwrap();
    assert_ne!(port.parse::<u16>().unwrap(), 0);
    TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    assert!(broker.tcp_address().starts_with("127.0.0.1:"));
    TcpStream::connect(broker.tcp_address()).unwrap();
    let (end, _) = broker.stop();
    assert_eq!(end.lines, [""; 0], "two lines, and nothing more");
}

#[test]
fn a_socket_file_is_an_address_too() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = format!("ipc://{}", directory.path().join("broker").display());
    let broker = Broker::in_memory(&["--address", &endpoint]);
    assert_eq!(broker.endpoint(), endpoint);
    let mut ana = Dealer::join(broker.endpoint(), "ana");
    ana.say("hola");
    assert_eq!(ana.next().text(), "ana: hola");
}

#[test]
fn an_address_in_use_is_said_with_a_hint() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let broker = Broker::in_memory(&[]);
    let free = ["--in-memory", "--address", "127.0.0.1:0"];
    for flags in [
        &["--in-memory", "--address", &taken][..],
        &[&free[..], &["--tcp-address", broker.endpoint()]].concat(),
    ] {
        let words = ["cannot listen on tcp://127.0.0.1:", "in use", "\nhint: "];
        assert_ended(&run_with(flags), 3, &words);
    }
    // Once whoever listened there is gone, it is free.
    drop(listener);
    let broker = Broker::in_memory(&["--address", &taken]);
    assert_eq!(broker.endpoint(), format!("tcp://{taken}"));
}

#[test]
fn wrong_usage_is_said_and_ends_with_1() {
    let address = ["--address", "127.0.0.1:0"];
    for (flags, word) in [
        (&[][..], "--address"),
        (&["--address", "127.0.0.1"], "has no port"),
        (&["--address", "127.0.0.1:65536"], "is no port"),
        (&["--address", "pgm://127.0.0.1:1"], "is not served"),
        (&["--no-such-flag"], "--no-such-flag"),
        (&["--sync", "sometimes"], "expected always"),
        (&["--max-message-bytes", "much"], "invalid value 'much'"),
        (&["--in-memory", "--sync", "never"], "cannot be used with"),
        (&["surplus"], "'surplus'"),
    ] {
        let flags = if flags.contains(&"--address") || flags.is_empty() {
            flags.to_vec()
        } else {
            [&address[..], flags].concat()
        };
        assert_ended(&run_with(&flags), 1, &["error: ", word]);
    }
}

#[test]
fn who_asks_for_help_gets_it() {
    let help = run_with(&["--help"]);
    assert!(help.success() && help.complaint.is_empty());
    for group in ["Network:", "Journal:", "Delivery:", "Logging:"] {
        assert!(help.lines.iter().any(|line| line == group), "no {group}");
    }
    let version = concat!("orden-broker ", env!("CARGO_PKG_VERSION"));
    assert_eq!(run_with(&["-V"]).lines, [version]);
    let more = [
        version,
        "wire: version 1 of the native dialect",
        "log: format 1",
        "libzmq 4.3.5 with CURVE",
    ];
    assert_eq!(run_with(&["--version"]).lines, more);
}

#[test]
fn the_first_line_of_the_log_says_what_serves() {
    let broker = Broker::start(&[]);
    let first = &broker.program().complaint(0, "orden-broker")[0];
    let program = concat!("orden-broker ", env!("CARGO_PKG_VERSION"));
    assert!(
        first.ends_with(&format!("{program}, libzmq 4.3.5 with CURVE")),
        "{first}"
    );
}

#[test]
fn pages_for_packages_are_written() {
    let folder = tempfile::tempdir().unwrap();
    for program in ["orden-broker", "orden-client", "orden-bench"] {
        let mut command = orden_kit::programs::command(program);
        let end = run(command.arg("--write-pages").arg(folder.path()));
        assert!(end.success(), "{}", end.complaint);
        let page = fs::read_to_string(folder.path().join(format!("{program}.1"))).unwrap();
        assert!(page.contains(".SH OPTIONS"), "{page}");
        for completions in [
            format!("{program}.bash"),
            format!("_{program}"),
            format!("{program}.fish"),
        ] {
            assert!(folder.path().join(&completions).exists(), "{completions}");
        }
    }
    assert!(folder.path().join("orden-broker-log-dump.1").exists());
}

#[test]
fn a_directory_has_one_broker() {
    let broker = Broker::start(&[]);
    let data = broker.data().to_str().unwrap();
    let end = run_with(&["--address", "127.0.0.1:0", "--data", data]);
    assert_ended(&end, 3, &["in use", "\nhint: "]);
    // The first has not noticed.
    let mut ana = Dealer::join(broker.endpoint(), "ana");
    ana.say("hola");
    assert_eq!(ana.next().text(), "ana: hola");
}

#[test]
fn a_log_that_cannot_be_written_ends_it_with_3() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    let address = ["--address", "127.0.0.1:0"];
    for flags in [["--data", file], ["--log-file", "/no/such/directory/log"]] {
        let end = run_with(&[&address[..], &flags].concat());
        assert_ended(&end, 3, &["orden-broker: ", "\nhint: "]);
    }
}

#[test]
fn a_damaged_log_is_refused_and_left_as_it_is() {
    let broker = Broker::start(&[]);
    let mut ana = Dealer::join(broker.endpoint(), "ana");
    for text in ["uno", "dos", "tres"] {
        ana.say(text);
        assert_eq!(ana.next().text(), format!("ana: {text}"));
    }
    let (end, stopped) = broker.stop();
    assert_eq!(end.code(), Some(0));
    let segment = segments(stopped.data()).pop().expect("the log has one");
    let bytes = fs::read(&segment).unwrap();
    let place = bytes.windows(3).position(|three| three == b"dos").unwrap();
    let mut file = fs::File::options().write(true).open(&segment).unwrap();
    file.seek(SeekFrom::Start(place as u64)).unwrap();
    file.write_all(b"DOS").unwrap();
    let damaged = fs::read(&segment).unwrap();

    let end = run(&mut stopped.command());
    let name = segment.file_name().unwrap().to_str().unwrap();
    assert_ended(&end, 2, &["orden-broker: ", name, "\nhint: "]);
    assert!(
        fs::read(&segment).unwrap() == damaged,
        "the log was changed"
    );

    // It was that byte and nothing else.
    fs::write(&segment, bytes).unwrap();
    let ana = Dealer::join(stopped.start().endpoint(), "eva");
    ana.say("sigue");
}

#[test]
fn without_a_disk_it_says_what_that_means() {
    let broker = Broker::in_memory(&[]);
    broker
        .program()
        .complaint(0, "in memory: when this process ends, every message");
    let broker = Broker::start(&["--sync", "1000"]);
    broker.program().complaint(0, "a power cut may take back");
    let (end, _) = Broker::start(&[]).stop();
    assert!(!end.complaint.contains("may take back"));
}

#[test]
fn every_flag_has_its_variable() {
    let lines = run_with(&["--help"]).lines;
    let is_flag = |line: &String| line.trim_start().starts_with("--");
    let mut flags = 0;
    for at in 0..lines.len() {
        // What is no setting, but something else to do.
        let is_setting = !lines[at].trim_start().starts_with("--check");
        if !is_flag(&lines[at]) || !is_setting {
            continue;
        }
        flags += 1;
        let end = (at + 1..lines.len()).find(|&end| is_flag(&lines[end]) || lines[end].is_empty());
        // The help is wrapped where it likes.
        let entry: String = lines[at..end.unwrap_or(lines.len())]
            .join("")
            .split(' ')
            .collect();
        let flag = entry
            .trim_start_matches('-')
            .split(['<', '['])
            .next()
            .unwrap();
        let (name, variable) = entry.split_once("[env:ORDEN_").expect(&entry);
        assert!(name.len() > flag.len());
        let variable = variable.split('=').next().unwrap();
        // A flag without a value runs into its description.
        let flag = &flag[..variable.len().min(flag.len())];
        assert_eq!(flag.to_uppercase().replace('-', "_"), variable);
    }
    assert!(flags >= 10, "{flags} flags in {lines:#?}");
}

#[test]
fn variables_stand_for_flags() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (data, log) = (path("data"), path("log"));
    let variables = [
        ("ORDEN_ADDRESS", "127.0.0.1:0"),
        ("ORDEN_TCP_ADDRESS", "127.0.0.1:0"),
        ("ORDEN_DATA", &data),
        ("ORDEN_SYNC", "1000"),
        ("ORDEN_LOG_FILE", &log),
    ];
    let mut program = Program::start("orden-broker", command().envs(variables));
    for _ in 0..2 {
        assert!(program.line().starts_with("listening on tcp://127.0.0.1:"));
    }
    program.kill();
    assert_eq!(program.complaints(), "");
    assert!(
        fs::read_to_string(&log)
            .unwrap()
            .contains("synced every 1000 ms")
    );
    assert_eq!(segments(data.as_ref()).len(), 1);

    // A switch is on as people write it; a flag on the command line counts more than a variable.
    for on in ["1", "true", "yes"] {
        let variables = [("ORDEN_IN_MEMORY", on), ("ORDEN_ADDRESS", "nonsense")];
        let mut with = command();
        with.envs(variables).args(["--address", "127.0.0.1:0"]);
        let program = Program::start("orden-broker", &mut with);
        assert!(program.line().starts_with("listening on tcp://127.0.0.1:"));
        program.complaint(0, "in memory: ");
    }
    let end = run(command().envs([("ORDEN_ADDRESS", "nonsense")]));
    assert_ended(&end, 1, &["error: ", "nonsense"]);
}

/// The files of the log in this directory.
fn segments(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "segment");
    paths.filter(is_segment).collect()
}
