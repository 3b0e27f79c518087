//! Holds the house: the layers, no circles of files, and how large a file may be. What clippy can
//! check is in Cargo.toml and .clippy.toml.
//!
//! A rule takes a file and says where it is broken; `broken.rs` sees each of them fail.

#![expect(
    clippy::unwrap_used,
    reason = "what cannot be read cannot be held to a rule"
)]

mod broken;
mod circles;
mod modules;
mod paths;
mod rules;
mod source;

use std::collections::BTreeSet;

use rules::Finding;
use source::Source;

/// Fails with what `rule` finds in the files that lie in one of `directories`.
fn holds(directories: &[&str], rule: impl Fn(&Source) -> Vec<Finding>) {
    let sources = source::all();
    let found: Vec<String> = (sources.iter())
        .filter(|source| {
            directories
                .iter()
                .any(|directory| source.path.starts_with(directory))
        })
        .flat_map(|source| {
            let place = |finding: Finding| format!("{}:{finding}", source.path);
            rule(source).into_iter().map(place)
        })
        .collect();
    assert!(found.is_empty(), "\n\n{}\n", found.join("\n"));
}

const EVERYWHERE: &[&str] = &[""];

#[test]
fn imports_go_down() {
    holds(&["src/"], rules::imports_go_down);
}

#[test]
fn the_core_is_pure() {
    holds(&["src/core"], rules::is_pure);
}

#[test]
fn zmq_stays_in_its_rooms() {
    holds(&["src/"], rules::leaves_zmq_alone);
}

#[test]
fn nats_stays_in_its_room() {
    holds(&["src/"], rules::leaves_nats_alone);
}

#[test]
fn unsafe_stays_in_its_room() {
    holds(EVERYWHERE, rules::leaves_unsafe_alone);
}

#[test]
fn files_are_short() {
    holds(EVERYWHERE, rules::is_short);
}

#[test]
fn lines_are_short() {
    holds(EVERYWHERE, rules::has_short_lines);
}

#[test]
fn files_say_what_they_are() {
    holds(EVERYWHERE, rules::has_a_header);
}

#[test]
fn every_test_runs() {
    holds(EVERYWHERE, rules::ignores_no_test);
}

#[test]
fn no_files_import_each_other() {
    let found = circles::circles(&source::all());
    assert!(found.is_empty(), "\n\n{}\n", found.join("\n"));
}

#[test]
fn every_directory_is_described() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/internals/architecture.md")).unwrap();
    let described: BTreeSet<&str> = (page.lines())
        .filter_map(|line| line.strip_prefix("| `src/")?.split("/`").next())
        .collect();
    let sources = source::all();
    let there: BTreeSet<&str> = (sources.iter())
        .filter_map(|source| Some(source.path.strip_prefix("src/")?.rsplit_once('/')?.0))
        .map(|directory| {
            if directory.starts_with("python/") {
                "python"
            } else {
                directory
            }
        })
        .collect();
    assert_eq!(described, there, "docs/internals/architecture.md, Layers");
}
