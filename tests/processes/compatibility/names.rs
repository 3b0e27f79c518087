//! The names that programs and scripts rely on: flags and their variables, exit codes, fields of
//! JSON, metrics. Each of the lists in tests/compatibility/names is promised; what is new is added
//! to them when a version is released.
//!
//! `UPDATE_COMPATIBILITY=names cargo test --test processes compatibility` writes them anew.

use std::collections::BTreeSet;
use std::fs;

use orden::wire::{OrderNumber, binary};
use orden_kit::programs::broker::Broker;
use orden_kit::programs::{Program, client, command};
use serde_json::Value;

use super::{is_updated, kept};
use crate::security::stage::Peer;
use crate::web::asking::get;

/// Fails if something that was promised is no longer there.
fn hold(list: &str, found: &BTreeSet<String>, promise: &str) {
    let file = kept("names").join(list);
    if is_updated("names") {
        let lines: Vec<_> = found.iter().map(String::as_str).collect();
        fs::write(&file, lines.join("\n") + "\n").expect("the repository can be written");
    }
    let text = fs::read_to_string(file).expect("a list in the repository");
    let promised = text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let gone: Vec<_> = promised.difference(found).cloned().collect();
    assert!(
        gone.is_empty(),
        "This breaks a promise of docs/promises.md: {promise} only grow within a major version. \
         Gone:\n{}",
        gone.join("\n")
    );
}

fn help(words: &[&str], flag: &str) -> String {
    let (program, subcommands) = words.split_first().expect("a program");
    let mut asked = command(program);
    let end = Program::start(program, asked.args(subcommands).arg(flag)).end();
    assert!(end.success(), "{words:?} {flag}");
    end.lines.join("\n")
}

/// The flags that a help lists, with what belongs to each.
fn flags(words: &[&str], found: &mut BTreeSet<String>) {
    let help = help(words, "-h");
    let name = words.join(" ");
    found.insert(name.clone());
    let mut flag: Option<String> = None;
    let mut described = String::new();
    let mut note = |flag: &Option<String>, described: &str| {
        let Some(flag) = flag else { return };
        found.insert(format!("{name} {flag}"));
        let joined = described.split_whitespace().collect::<Vec<_>>().join(" ");
        let after = |mark| Some(joined.split_once(mark)?.1.split_once(']')?.0.to_owned());
        if let Some(variable) = after("[env: ") {
            let variable = variable.split('=').next().unwrap_or_default();
            found.insert(format!("{name} {flag} is {variable}"));
        }
        if let Some(values) = after("[possible values: ") {
            for value in values.split(", ") {
                found.insert(format!("{name} {flag} takes {value}"));
            }
        }
    };
    for line in help.lines() {
        let words = line.trim_start();
        let long = words.split([' ', ',']).find(|word| word.starts_with("--"));
        if let (true, Some(long)) = (words.starts_with('-'), long) {
            note(&flag, &described);
            flag = Some(long.to_owned());
            described.clear();
        }
        described += line;
        described.push('\n');
    }
    note(&flag, &described);
    for subcommand in subcommands(&help) {
        flags(&[words, &[&subcommand]].concat(), found);
    }
}

fn subcommands(help: &str) -> Vec<String> {
    let Some((_, commands)) = help.split_once("\nCommands:\n") else {
        return Vec::new();
    };
    let lines = commands.lines().take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names = names.filter(|name| !name.is_empty() && *name != "help");
    names.map(str::to_owned).collect()
}

#[test]
fn flags_and_their_variables() {
    let mut found = BTreeSet::new();
    for program in ["orden-broker", "orden-client", "orden-bench"] {
        flags(&[program], &mut found);
    }
    hold("flags.txt", &found, "flags, commands and ORDEN_ variables");
}

/// Which codes each program says that it has; what they mean, others of these tests hold.
#[test]
fn exit_codes() {
    let mut found = BTreeSet::new();
    for program in ["orden-broker", "orden-client", "orden-bench"] {
        let help = help(&[program], "--help");
        let (_, codes) = help.split_once("Exit codes: ").expect("they are described");
        let codes = codes
            .split("; ")
            .filter_map(|code| code.split_whitespace().next());
        found.extend(codes.map(|code| format!("{program} {code}")));
    }
    hold("exit-codes.txt", &found, "exit codes");
}

/// The fields of an object, and of those in it.
fn fields(name: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields_of) => {
            for (key, value) in fields_of {
                fields(&format!("{name}.{key}"), value, found);
            }
        }
        Value::Array(items) => {
            for item in items {
                fields(&format!("{name}[]"), item, found);
            }
        }
        Value::String(_) => drop(found.insert(format!("{name}: string"))),
        Value::Number(_) => drop(found.insert(format!("{name}: number"))),
        Value::Bool(_) => drop(found.insert(format!("{name}: boolean"))),
        Value::Null => {}
    }
}

/// A broker that has something to tell in each of its fields.
fn told() -> (Broker, Peer) {
    let broker = Broker::start(&["--http-address", "127.0.0.1:0"]);
    let peer = Peer::join(&broker, "ana", None);
    peer.say("ana: hola");
    peer.hear_until("ana: hola");
    peer.send(b"no JSON");
    broker.await_refused("not_json", 1);
    (broker, peer)
}

#[test]
fn fields_of_json() {
    let (broker, peer) = told();
    let mut frame = Vec::new();
    binary::encode_message(OrderNumber(0), [b"ana", b": ", b"\xff"], &mut frame);
    peer.send(&frame);
    let http = broker.http_address();
    let mut found = BTreeSet::new();
    fields("status", &get(http, "/status").json(), &mut found);
    fields("members", &get(http, "/members").json(), &mut found);
    fields("member", &get(http, "/members/ana").json(), &mut found);
    let path = "/messages?from=start&count=3&follow=true";
    let lines = get(http, path).text().to_owned();
    let mut line = |name: &str, line: &str| {
        let value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{name}: {line:?}"));
        fields(name, &value, &mut found);
    };
    for text in lines.lines() {
        line("messages", text);
    }
    let reader = [
        "--name", "berta", "--from", "start", "--count", "3", "--format", "json",
    ];
    for text in client::start(broker.address(), &reader).finish() {
        line("orden-client", &text);
    }
    let mut dump = command("orden-broker");
    dump.args(["log", "dump", "--format", "json"])
        .arg(broker.data());
    for text in Program::start("log dump", &mut dump).finish() {
        line("log dump", &text);
    }
    let mut bench = command("orden-bench");
    bench.args(["--in-memory", "--messages", "10", "--format", "json"]);
    for text in Program::start("orden-bench", &mut bench).finish() {
        line("orden-bench", &text);
    }
    hold("json.txt", &found, "fields of JSON");
}

#[test]
fn metrics() {
    let (broker, _peer) = told();
    let text = get(broker.http_address(), "/metrics").text().to_owned();
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            found.insert(family.to_owned());
        } else if let Some((name, labels)) = line.split_once('{') {
            let labels = labels.split_once('}').expect("their end").0;
            let keys = labels
                .split(',')
                .filter_map(|label| label.split('=').next());
            found.extend(keys.map(|key| format!("{name} {key}=")));
        }
    }
    hold("metrics.txt", &found, "metrics and their labels");
}
