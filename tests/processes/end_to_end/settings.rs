//! Settings that cannot work are refused at the start, and addresses of all kinds are listened on.

use std::fs;
use std::net::{TcpListener, TcpStream};

use orden_kit::dealer::Dealer;
use orden_kit::programs::broker::{Broker, command, run};
use orden_kit::programs::{End, client};

const HUGE: &str = "18446744073709551615";

#[track_caller]
fn assert_says(end: &End, code: i32, words: &[&str]) {
    assert_eq!(end.code(), Some(code), "{}", end.complaint);
    for word in words {
        assert!(
            end.complaint.contains(word),
            "no {word:?}: {}",
            end.complaint
        );
    }
}

fn run_with(flags: &[&str]) -> End {
    run(command()
        .args(["--in-memory", "--address", "127.0.0.1:0"])
        .args(flags))
}

#[test]
fn limits_of_nothing_and_of_everything_are_refused_with_the_bound() {
    for (flag, values) in [
        ("--max-connections-per-second", &["0"][..]),
        ("--max-members", &["0", HUGE]),
        ("--max-in-flight-bytes", &["0", HUGE]),
        ("--max-message-bytes", &["0", "5000000000", HUGE]),
        ("--max-name-bytes", &["0", "256"]),
        ("--max-names-per-key", &["0"]),
        ("--max-catch-ups", &["0"]),
        ("--ping-after", &["0", HUGE]),
        ("--away-after", &["0", HUGE]),
        ("--session-timeout", &["0", HUGE]),
        ("--retain-bytes", &["0"]),
        ("--retain-messages", &["0"]),
        ("--retain-age", &["0", HUGE]),
        ("--segment-bytes", &[HUGE]),
    ] {
        for value in values {
            assert_says(&run_with(&[flag, value]), 1, &[flag, value, "not in"]);
        }
    }
    let end = run(command().args(["--address", ":0", "--sync", HUGE]));
    assert_says(&end, 1, &["up to an hour"]);
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let end = run_with(&["--ping-after", "10", "--away-after", "9"]);
    assert_says(
        &end,
        1,
        &["--away-after 9 is below --ping-after 10", "hint: "],
    );
    let end = run_with(&["--ping-after", "100"]);
    assert_says(&end, 1, &["--away-after 60 is below --ping-after 100"]);
}

#[test]
fn a_small_segment_is_raised_and_that_is_said() {
    let broker = Broker::start(&["--segment-bytes", "0"]);
    let words = "--segment-bytes 0 is too small";
    let lines = broker.program().complaint(0, words);
    assert!(lines.last().unwrap().contains("are taken"), "{lines:?}");
}

#[test]
fn a_segment_that_no_disk_holds_is_refused() {
    let data = tempfile::tempdir_in("/dev/shm").unwrap();
    let data = data.path().join("not/made/yet");
    let data = data.to_str().unwrap();
    let flags = ["--data", data, "--segment-bytes", "68719476736"];
    let end = run(command().args(["--address", ":0"]).args(flags));
    assert_says(&end, 1, &["68719476736 bytes do not fit", data, "hint: "]);
    assert!(!fs::exists(data).unwrap(), "nothing is made");
}

#[test]
fn a_log_that_is_there_needs_no_room_for_two_segments() {
    let parent = tempfile::tempdir_in("/dev/shm").unwrap();
    let system = rustix::fs::statvfs(parent.path()).unwrap();
    let most = (system.f_blocks * system.f_frsize * 3 / 4).to_string();
    // A broker that comes as far as its address ends there.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = parent.path().to_str().unwrap();
    let flags = [
        "--address",
        &address,
        "--data",
        data,
        "--segment-bytes",
        &most,
    ];
    let end = run(command().args(flags));
    assert_says(&end, 1, &["2 files of", "do not fit", data]);
    let stopped = Broker::start(&[]).finish();
    for file in fs::read_dir(stopped.data()).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_some_and(|it| it == "segment") {
            fs::copy(&file, parent.path().join(file.file_name().unwrap())).unwrap();
        }
    }
    let end = run(command().args(flags));
    assert_says(&end, 3, &[&address]);
}

#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    let mut command = command();
    for flag in [
        "SYNC",
        "TCP_ADDRESS",
        "IN_MEMORY",
        "MAX_MEMBERS",
        "LOG_FILE",
        "CURVE_KEY",
    ] {
        command.env(format!("ORDEN_{flag}"), "");
    }
    let data = tempfile::tempdir().unwrap();
    command
        .env("ORDEN_DATA", data.path())
        .env("ORDEN_ADDRESS", "");
    let end = run(&mut command);
    assert_says(&end, 1, &["--address"]);
    assert!(
        !end.complaint.contains("a value is required"),
        "{}",
        end.complaint
    );
}

#[test]
fn a_variable_of_another_command_is_no_business_of_this_one() {
    let keys = tempfile::tempdir().unwrap();
    let mut command = command();
    command
        .env("ORDEN_SYNC", "sometimes")
        .env("ORDEN_ADDRESS", "nowhere");
    let end = run(command.arg("keygen").arg(keys.path()));
    assert!(end.success(), "{}", end.complaint);
    assert_eq!(end.lines.len(), 2);
}

#[test]
fn an_address_that_cannot_be_is_said_with_a_hint_that_is_true() {
    let listen = |address: &str| run(command().args(["--in-memory", "--address", address]));
    let file = tempfile::NamedTempFile::new().unwrap();
    let taken = format!("ipc://{}", file.path().display());
    for (address, said, hint) in [
        // Of a net for documentation (RFC 5737): no machine has it.
        (
            "192.0.2.1:0",
            "cannot listen on tcp://192.0.2.1",
            "has no such address",
        ),
        (
            "ipc:///no/such/directory/socket",
            "cannot listen",
            "make the directory",
        ),
        (&taken, "no socket is there already", "name another path"),
        ("no-such-name.invalid:0", "cannot listen", "does the name"),
    ] {
        let flags = ["--in-memory", "--insecure", "--address", address];
        let end = run(command().args(flags));
        assert_says(&end, 3, &[said, "\nhint: ", hint]);
    }
    assert!(file.path().exists(), "what is no socket stays");
    let broker = Broker::in_memory(&[]);
    let end = listen(broker.address());
    assert_says(&end, 3, &["in use", "another program"]);
}

#[test]
fn a_socket_file_belongs_to_the_broker_that_listens() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = format!("ipc://{}", directory.path().join("broker").display());
    let first = Broker::in_memory(&["--address", &endpoint]);
    let mut ana = Dealer::member(&endpoint, "ana");
    let end = run(command().args(["--in-memory", "--address", &endpoint]));
    assert_says(&end, 3, &["in use", "hint: another program"]);
    ana.say("still the first");
    assert_eq!(ana.next().text(), "ana: still the first");
    Dealer::member(&endpoint, "bea");
    // One that was killed leaves the file, and it is in nobody's way.
    let second = first.kill().start();
    Dealer::member(second.endpoint(), "eva");
}

#[test]
fn both_families_are_listened_on() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        // A machine without IPv6 has nothing to show here.
        return;
    }
    for (address, loopbacks) in [
        ("[::1]:0", &["[::1]"][..]),
        ("tcp://[::]:0", &["[::1]", "127.0.0.1"]),
        ("*:0", &["[::1]", "127.0.0.1"]),
        ("localhost.localdomain:0", &[]),
    ] {
        if loopbacks.is_empty() && !resolves("localhost.localdomain") {
            continue;
        }
        let flags = ["--insecure", "--address", address, "--tcp-address", address];
        let broker = Broker::in_memory(&flags);
        for host in loopbacks {
            let port_of = |address: &str| address.rsplit(':').next().unwrap().to_owned();
            let port = port_of(broker.address());
            let peer = zmq::Context::new().socket(zmq::DEALER).unwrap();
            peer.set_ipv6(true).unwrap();
            peer.set_rcvtimeo(30_000).unwrap();
            peer.connect(&format!("tcp://{host}:{port}")).unwrap();
            peer.send(&[0; 33][..], 0).unwrap();
            assert_eq!(peer.recv_bytes(0).unwrap().len(), 33);
            let plain = port_of(broker.tcp_address());
            let plain = TcpStream::connect(format!("{host}:{plain}")).unwrap();
            let name = plain.local_addr().unwrap().to_string();
            broker.program().complaint(0, &format!("{name} has joined"));
        }
    }
}

fn resolves(name: &str) -> bool {
    use std::net::ToSocketAddrs;
    (name, 0).to_socket_addrs().is_ok()
}

#[test]
fn what_is_in_effect_is_printed_with_where_it_comes_from() {
    // Where README has had a broker run, there is a log.
    let place = tempfile::tempdir().unwrap();
    let mut check = command();
    check.current_dir(place.path()).args([
        "--check",
        "--address",
        ":0",
        "--sync",
        "20",
        "--max-message-bytes",
        "8000000",
    ]);
    check.env("ORDEN_AWAY_AFTER", "77");
    let end = run(&mut check);
    assert!(end.success(), "{}", end.complaint);
    let text = end.lines.join("\n");
    let has = |flag: &str, source: &str| {
        let is = |line: &&str| line.starts_with(flag) && line.ends_with(source);
        assert!(
            text.lines().any(|line| is(&line)),
            "no {flag}, {source} in {text}"
        );
    };
    has("--sync 20 ", "command line");
    has("--away-after 77 ", "environment");
    has("--ping-after 15 ", "default");
    has("--retain-bytes ", "not set");
    // What is in effect, not what was said: messages of this size need more.
    has("bytes of a segment: ", "67108864");
    let left = fs::read_dir(place.path()).unwrap();
    assert_eq!(left.count(), 0, "it has started something");
    let wrong = run_with(&["--check", "--ping-after", "10", "--away-after", "9"]);
    assert_says(&wrong, 1, &["--away-after 9"]);
}

#[test]
fn a_variable_that_is_no_setting_is_warned_of_and_that_of_another_program_is_not() {
    let mut environment = vec![("ORDEN_SINC", "never".into())];
    let mut help = client::command(&["--help"]);
    let others = variables(&run(&mut help).lines.join("\n"));
    assert!(others.len() > 5, "{others:?}");
    let others: Vec<&'static str> = others.into_iter().map(|name| &*name.leak()).collect();
    // Those that both have would be settings.
    let own = variables(&run(command().arg("--help")).lines.join("\n"));
    let foreign = others
        .iter()
        .filter(|name| !own.iter().any(|own| own == *name));
    environment.extend(foreign.map(|name| (*name, "x".into())));
    let broker = Broker::start_with(&[], environment);
    broker.program().complaint(0, "ORDEN_SINC is no setting");
    let said = broker.program().complaints();
    assert_eq!(said.matches("is no setting").count(), 1, "{said}");
}

/// The variables that a program's help names.
fn variables(help: &str) -> Vec<String> {
    let names = help.split("[env:").skip(1);
    let names = names.map(|rest| rest.split(['=', ']']).next().unwrap().trim());
    names.map(str::to_owned).collect()
}
