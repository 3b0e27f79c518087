//! Every rule, broken once on purpose, and kept where that is easily mistaken for broken.

use crate::circles;
use crate::rules::{self, Finding};
use crate::source::Source;

type Rule = fn(&Source) -> Vec<Finding>;

/// The line numbers on which `rule` finds `text` broken.
fn lines(rule: Rule, path: &str, text: &str) -> Vec<usize> {
    let findings = rule(&Source::new(path, text));
    findings
        .iter()
        .map(|finding| finding.split(':').next().unwrap().parse().unwrap())
        .collect()
}

#[test]
fn an_import_that_goes_up() {
    let rule = rules::imports_go_down;
    assert_eq!(
        lines(
            rule,
            "src/core/a.rs",
            "use crate::wire::B;\nuse crate::store::C;"
        ),
        [2]
    );
    assert_eq!(
        lines(rule, "src/core/a.rs", "\nfn b() { crate::broker::c() }"),
        [2]
    );
    assert_eq!(
        lines(rule, "src/wire/a.rs", "use crate::{wire::B,\n core::C};"),
        [2]
    );
    assert_eq!(lines(rule, "src/broker/a.rs", "use crate::client::B;"), [1]);
    assert_eq!(lines(rule, "src/client.rs", "use crate::broker::B;"), [1]);
    assert_eq!(lines(rule, "src/wire/mod.rs", "use super::core::A;"), [1]);
    assert_eq!(
        lines(rule, "src/wire/a.rs", "use super::super::core::A;"),
        [1]
    );
    assert_eq!(lines(rule, "src/wire/a.rs", "use crate::Error;"), [1]);
    assert_eq!(lines(rule, "src/attic/a.rs", "use std::fmt;"), [1]);

    assert!(lines(rule, "src/wire/a.rs", "// crate::core\nuse super::core;").is_empty());
    assert!(lines(rule, "src/store/mod.rs", "mod tests { use super::*; }").is_empty());
    assert!(lines(rule, "src/lib.rs", "pub use crate::broker::B;").is_empty());
}

#[test]
fn a_core_that_asks_the_world() {
    let rule = rules::is_pure;
    let text = "use std::{fmt,\n net::IpAddr,\n time::{Duration,\n Instant}};\nlog::info!();";
    assert_eq!(lines(rule, "src/core/a.rs", text), [2, 4, 5]);
    let text = "let now = std::time::SystemTime::now();\nrand::random();\nlog.append(record);";
    assert_eq!(lines(rule, "src/core/a.rs", text), [1, 2]);
    let text = "#[cfg(test)]\nmod tests {\n use std::fs::File;\n}";
    assert!(lines(rule, "src/core/a.rs", text).is_empty());
}

#[test]
fn a_socket_in_the_wrong_room() {
    let text = "//! Not `zmq::Socket`.\nuse zmq::{Context,\n Socket};";
    assert_eq!(
        lines(rules::leaves_zmq_alone, "src/broker/mod.rs", text),
        [2, 3]
    );
    assert!(lines(rules::leaves_zmq_alone, "src/broker/transport.rs", text).is_empty());
}

#[test]
fn nats_in_the_wrong_room() {
    let rule = rules::leaves_nats_alone;
    let text = "use async_nats::Client;";
    assert_eq!(lines(rule, "src/broker/mod.rs", text), [1]);
    assert!(lines(rule, "src/stream/nats/session.rs", text).is_empty());
}

#[test]
fn leave_for_unsafe_in_the_wrong_room() {
    let rule = rules::leaves_unsafe_alone;
    let text = "// unsafe_code\n#![expect(unsafe_code, reason = \"speed\")]";
    assert_eq!(lines(rule, "src/broker/transport.rs", text), [2]);
    assert!(lines(rule, "src/net/libzmq.rs", text).is_empty());
}

#[test]
fn a_long_file() {
    assert_eq!(
        lines(rules::is_short, "src/wire/a.rs", &"\n".repeat(401)),
        [401]
    );
    assert!(lines(rules::is_short, "src/wire/a.rs", &"\n".repeat(400)).is_empty());
}

#[test]
fn a_long_line() {
    let rule = rules::has_short_lines;
    let line = "ñ".repeat(100);
    assert_eq!(
        lines(rule, "src/wire/a.rs", &format!("{line}\n{line}x")),
        [2]
    );
    assert_eq!(lines(rule, "tests/peers/a.py", &format!("{line}x")), [1]);
    assert!(
        lines(
            rule,
            "src/wire/a.rs",
            &format!("\"{line}\"\n// https://{line}")
        )
        .is_empty()
    );
}

#[test]
fn a_file_without_a_header() {
    let rule = rules::has_a_header;
    assert_eq!(
        lines(rule, "src/wire/a.rs", "use std::fmt;\n//! Late.\n"),
        [1]
    );
    assert_eq!(lines(rule, "src/wire/a.rs", ""), [1]);
    assert_eq!(
        lines(
            rule,
            "tests/peers/a.py",
            "#!/usr/bin/env python3\nimport zmq\n"
        ),
        [1]
    );
    assert!(
        lines(
            rule,
            "tests/peers/a.py",
            "#!/usr/bin/env python3\n# A peer.\n"
        )
        .is_empty()
    );
    assert!(lines(rule, "tests/peers/a.py", "\"\"\"A peer.\"\"\"\n").is_empty());
}

#[test]
fn a_test_that_does_not_run() {
    let rule = rules::ignores_no_test;
    let text = "#[ignore = \"slow\"]\n#[test]\n#[ignore]\nfn a() {}";
    assert_eq!(lines(rule, "tests/a.rs", text), [1, 3]);
    assert!(
        lines(
            rule,
            "src/wire/a.rs",
            "// #[ignore]\nlet ignore = b[ignore];"
        )
        .is_empty()
    );
}

/// The circles among files with these texts.
fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
    let sources = files.iter().map(|(path, text)| Source::new(path, text));
    circles::circles(&sources.collect::<Vec<_>>())
}

#[test]
fn files_that_import_each_other() {
    let b = ("src/core/b.rs", "use super::a::A;\npub struct B;");
    let shown = ("src/core/mod.rs", "mod a;\nmod b;\npub use b::B;");
    let root = ("src/lib.rs", "pub mod core;");
    for upwards in [
        "use super::B;",
        "use crate::core::b::B;",
        "fn c(_: crate::core::B) {}",
    ] {
        let a = ("src/core/a.rs", upwards);
        let found = circles_of(&[root, shown, a, b]);
        assert_eq!(found.len(), 1, "{upwards}");
        assert!(
            found[0].contains("src/core/a.rs:1 uses src/core/b.rs"),
            "{}",
            found[0]
        );
    }
    let fine = [
        "use super::C;",
        "mod inner { use super::A; }",
        "#[cfg(test)]\nmod tests { use super::super::B; }",
        "// use super::B;",
    ];
    for fine in fine {
        let a = ("src/core/a.rs", fine);
        assert_eq!(circles_of(&[root, shown, a, b]), [""; 0], "{fine}");
    }
}

#[test]
fn a_module_and_its_parent_that_import_each_other() {
    let root = ("src/lib.rs", "pub mod core;");
    let child = ("src/core/a.rs", "use super::Parent;");
    let uses = ("src/core/mod.rs", "mod a;\nuse a::A;\npub struct Parent;");
    assert_eq!(circles_of(&[root, child, uses]).len(), 1);
    let shows = (
        "src/core/mod.rs",
        "mod a;\npub use a::A;\npub struct Parent;",
    );
    assert_eq!(circles_of(&[root, child, shows]), [""; 0]);
}

#[test]
fn a_circle_inside_a_program() {
    let root = "#[path = \"tool/a.rs\"]\nmod a;\n#[path = \"tool/b.rs\"]\nmod b;\nfn main() {}";
    let (a, b) = ("use crate::b::B;", "use super::a;");
    let files = [
        ("bin/tool.rs", root),
        ("bin/tool/a.rs", a),
        ("bin/tool/b.rs", b),
    ];
    assert_eq!(circles_of(&files).len(), 1);
    assert_eq!(circles_of(&files[..2]), [""; 0]);
}
