//! Every rule, broken once on purpose, and kept where that is easily mistaken for broken.

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
fn an_unsafe_block_in_the_wrong_room() {
    let text = "#![expect(unsafe_code)]\n// unsafe\nfn a() {\n unsafe { b() }\n}";
    assert_eq!(lines(rules::is_safe, "src/broker/transport.rs", text), [4]);
    assert!(lines(rules::is_safe, "src/net/libzmq.rs", text).is_empty());
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
fn a_long_function() {
    let function = |lines: usize| format!("\nfn a() {{{}}}\n", "\n".repeat(lines - 1));
    assert_eq!(
        lines(rules::has_short_functions, "tests/a.rs", &function(71)),
        [2]
    );
    assert!(lines(rules::has_short_functions, "tests/a.rs", &function(70)).is_empty());
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
fn something_unfinished() {
    let rule = rules::is_finished;
    assert_eq!(lines(rule, "src/wire/a.rs", "\ntodo!(\"later\")"), [2]);
    assert_eq!(
        lines(rule, "tests/a.rs", "unimplemented!()\n#[ignore = \"slow\"]"),
        [1, 2]
    );
    assert_eq!(
        lines(rule, "tests/a.rs", "#[test]\n#[ignore]\nfn a() {}"),
        [2]
    );
    assert!(lines(rule, "src/wire/a.rs", "// todo!()\nlet ignore = \"todo!\";").is_empty());
}

#[test]
fn an_unwrap_outside_tests() {
    let rule = rules::never_unwraps;
    let text = "a.unwrap();\nb.unwrap_or(1);\n#[cfg(test)]\nmod tests { fn c() { d.unwrap() } }";
    assert_eq!(lines(rule, "src/wire/a.rs", text), [1]);
}
