//! Commands in the pages: those of quickstart.md are run as they stand there; of all others the
//! programs, flags and files are held to what there is, since they run for minutes, need another
//! machine, or never end.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use orden_kit::programs::{Program, command};
use orden_kit::root;

const ADDRESS: &str = "127.0.0.1:8081";

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect(name)
}

/// The blocks of a page in this language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("\n```{language}\n");
    let blocks = text.split(&fence).skip(1);
    let block = |rest: &str| rest.split("\n```").next().unwrap_or_default().to_owned();
    blocks.map(block).collect()
}

/// Where cargo puts the programs.
fn programs() -> PathBuf {
    let test = std::env::current_exe().expect("it runs");
    test.ancestors()
        .nth(2)
        .expect("it lies in target/")
        .to_owned()
}

#[test]
fn the_quickstart_runs() {
    let text = page("docs/quickstart.md");
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("bound").to_string();
    drop(free);
    // A test may end with a broker still running; a page's reader does not.
    let script = format!(
        "set -eu\ntrap 'kill -9 $! 2>/dev/null || true' EXIT\n{}",
        blocks(&text, "sh").join("\n")
    );
    let folder = tempfile::tempdir().expect("a directory for temporary files");
    let path = std::env::var("PATH").expect("a path");
    let mut bash = Command::new("bash");
    bash.args(["-c", &script.replace(ADDRESS, &address)])
        .current_dir(folder.path())
        .env("PATH", format!("{}:{path}", programs().display()));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ORDEN_") {
            bash.env_remove(name);
        }
    }
    let end = Program::start("docs/quickstart.md", &mut bash).end();
    let said = format!("{}\n{}", end.lines.join("\n"), end.complaint);
    assert!(end.success(), "{said}");
    for block in blocks(&text, "text") {
        for line in block.lines() {
            let line = line.replace(ADDRESS, &address);
            assert!(said.contains(&line), "nothing says {line:?}:\n{said}");
        }
    }
}

/// The words of a command line, without its comment and what a shell makes of the rest.
fn words(line: &str) -> Vec<String> {
    let line = line.split(" #").next().unwrap_or_default();
    let ends = ["|", "<", ">", "&&", "&"];
    let words = line.split_whitespace().skip_while(|word| {
        word.split_once('=')
            .is_some_and(|(name, _)| name.chars().all(|c| c.is_uppercase() || c == '_'))
    });
    let words = words.take_while(|word| !ends.contains(word));
    words
        .map(|word| word.trim_matches('\'').to_owned())
        .collect()
}

/// Whether a program takes these words: with `--help` behind them it looks at them, and no more.
fn takes(program: &str, arguments: &[String]) -> bool {
    let mut asked = command(program);
    Program::start(program, asked.args(arguments).arg("--help"))
        .end()
        .success()
}

fn is_there(line: &str) -> bool {
    let words = words(line);
    let Some((first, rest)) = words.split_first() else {
        return true;
    };
    match first.as_str() {
        "orden-broker" | "orden-client" | "orden-bench" => takes(first, rest),
        "cargo" => {
            let value = |flag: &str| {
                let at = rest.iter().position(|word| word == flag)?;
                rest.get(at + 1).cloned()
            };
            let is_test =
                value("--test").is_none_or(|name| root().join("tests").join(name).is_dir());
            let behind = rest.iter().position(|word| word == "--");
            let is_run = value("--bin").is_none_or(|program| {
                takes(&program, behind.map_or(&[][..], |at| &rest[at + 1..]))
            });
            is_test && is_run
        }
        other if other.contains('/') => Path::new(root()).join(other).exists(),
        _ => true, // a shell's own, and other programs
    }
}

#[test]
fn commands_of_all_pages_are_there() {
    let mut pages = Vec::new();
    for directory in ["docs", "docs/internals"] {
        let entries = fs::read_dir(root().join(directory)).expect("it is there");
        let files = entries.map(|entry| entry.expect("an entry").path());
        let files = files.filter(|file| file.extension().is_some_and(|end| end == "md"));
        let name = |file: &Path| Some(format!("{directory}/{}", file.file_name()?.display()));
        pages.extend(files.filter_map(|file| name(&file)));
    }
    pages.extend(["README.md".to_owned(), "src/python/README.md".to_owned()]);
    let mut wrong = Vec::new();
    for name in pages {
        for block in blocks(&page(&name), "sh") {
            let lines = block.lines().filter(|line| !is_there(line));
            wrong.extend(lines.map(|line| format!("{name}: {line}")));
        }
    }
    assert!(
        wrong.is_empty(),
        "not as the programs are:\n{}",
        wrong.join("\n")
    );
}
