//! The rules: each takes a file and says on which line it is broken and what to do.

use crate::paths::{is_word, paths};
use crate::source::{Source, line_at};

/// `LINE: what is wrong and what to do`.
pub(crate) type Finding = String;

const LINES_MAX: usize = 400;
const COLUMNS_MAX: usize = 100;

/// A layer may use those with a smaller number.
const LAYERS: &[(&str, u8)] = &[
    ("display", 0),
    ("wire", 1),
    ("core", 2),
    ("store", 3),
    ("stream", 3),
    ("net", 3),
    ("commit", 4),
    ("broker", 5),
    ("client", 5),
    ("admin", 6),
    ("web", 7),
];

/// What would make the machines depend on more than their input.
const IMPURE: &[&str] = &[
    "crossbeam_channel",
    "getrandom",
    "log",
    "rand",
    "rustix",
    "simplelog",
    "std::env",
    "std::fs",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "zmq",
    "zmq_sys",
];
const IMPURE_NAMES: &[&str] = &["std::time::Instant", "std::time::SystemTime"];

const ZMQ_FILES: &[&str] = &[
    "src/broker/error.rs",
    "src/broker/exchange.rs",
    "src/broker/bind.rs",
    "src/broker/monitor.rs",
    "src/broker/sockets.rs",
    "src/broker/tracer.rs",
    "src/broker/transport.rs",
    "src/broker/zap.rs",
    "src/client/transport.rs",
    "src/net/error.rs",
    "src/net/keys.rs",
    "src/net/libzmq.rs",
    "src/net/linked.rs",
    "src/net/monitor.rs",
    "src/net/peer.rs",
    "src/net/polled_socket.rs",
    "src/net/received.rs",
];
const NATS_ROOM: &str = "src/stream/nats/";
const UNSAFE_FILE: &str = "src/net/libzmq.rs";

pub(crate) fn imports_go_down(source: &Source) -> Vec<Finding> {
    if !source.is_rust() {
        return Vec::new(); // src/python has layers of its own: tests/python/test_house.py
    }
    let module = module(&source.path);
    let Some(layer) = module.first() else {
        return Vec::new();
    }; // lib.rs shows every layer
    let Some(level) = level(layer) else {
        return vec![format!(
            "1: `{layer}` is no layer: move the file to one, or add a layer"
        )];
    };
    let mut found = Vec::new();
    for path in paths(&source.code) {
        let Some(rest) = from_the_root(&path.text, module.len()) else {
            continue;
        };
        let name = rest.split("::").next().unwrap_or_default();
        let (line, path) = (path.line, &path.text);
        match self::level(name) {
            None => found.push(format!(
                "{line}: `{path}` is on no layer: name the layer it is on"
            )),
            Some(other) if name != *layer && other >= level => found.push(format!(
                "{line}: {layer} uses `{path}`: imports go down only; move it, or hand it in"
            )),
            Some(_) => {}
        }
    }
    found
}

pub(crate) fn is_pure(source: &Source) -> Vec<Finding> {
    (paths(&source.code).into_iter())
        .filter(|path| !source.is_test(path.line))
        .filter(|path| {
            let is_name = |name: &&str| path.text == **name || path.is_in(name);
            IMPURE.iter().any(|module| path.is_in(module)) || IMPURE_NAMES.iter().any(is_name)
        })
        .map(|path| {
            format!(
                "{}: the core has no `{}`: make it an input",
                path.line, path.text
            )
        })
        .collect()
}

pub(crate) fn leaves_zmq_alone(source: &Source) -> Vec<Finding> {
    if ZMQ_FILES.contains(&source.path.as_str()) {
        return Vec::new();
    }
    (paths(&source.code).into_iter())
        .filter(|path| path.is_in("zmq") || path.is_in("zmq_sys"))
        .map(|path| format!("{}: `{}` belongs in a transport.rs", path.line, path.text))
        .collect()
}

pub(crate) fn leaves_nats_alone(source: &Source) -> Vec<Finding> {
    if source.path.starts_with(NATS_ROOM) {
        return Vec::new();
    }
    (paths(&source.code).into_iter())
        .filter(|path| path.is_in("async_nats"))
        .map(|path| format!("{}: `{}` belongs in {NATS_ROOM}", path.line, path.text))
        .collect()
}

/// Clippy sees `unsafe`; that it may stand in one file only it cannot be told.
pub(crate) fn leaves_unsafe_alone(source: &Source) -> Vec<Finding> {
    if source.path == UNSAFE_FILE {
        return Vec::new();
    }
    words(&source.code, "unsafe_code", |_| true)
        .map(|line| format!("{line}: `unsafe` is for {UNSAFE_FILE} only"))
        .collect()
}

pub(crate) fn is_short(source: &Source) -> Vec<Finding> {
    let lines = source.text.lines().count();
    let long = (lines > LINES_MAX).then(|| {
        format!("{lines}: more than {LINES_MAX} lines: give the file's second purpose one")
    });
    long.into_iter().collect()
}

/// Lines with a literal or an address may be longer: breaking those does not help.
pub(crate) fn has_short_lines(source: &Source) -> Vec<Finding> {
    (source.text.lines().zip(1..))
        .filter(|(line, _)| !line.contains('"') && !line.contains("://"))
        .map(|(line, number)| (number, line.chars().count()))
        .filter(|(_, columns)| *columns > COLUMNS_MAX)
        .map(|(number, columns)| format!("{number}: {columns} columns of {COLUMNS_MAX}: break it"))
        .collect()
}

pub(crate) fn has_a_header(source: &Source) -> Vec<Finding> {
    let mut lines = source
        .text
        .lines()
        .skip_while(|line| line.starts_with("#!/"));
    let first = lines.next().unwrap_or_default();
    let starts: &[&str] = if source.is_rust() {
        &["//! "]
    } else {
        &["# ", "\"\"\""]
    };
    if starts.iter().any(|start| first.starts_with(start)) {
        return Vec::new();
    }
    vec![format!(
        "1: no header: begin with `{}` and what the file is",
        starts[0].trim()
    )]
}

pub(crate) fn ignores_no_test(source: &Source) -> Vec<Finding> {
    words(&source.code, "ignore", |rest| {
        rest.starts_with([']', ' ', '='])
    })
    .filter(|line| {
        let text = source.code.lines().nth(line - 1);
        text.unwrap_or_default().contains("#[ignore")
    })
    .map(|line| format!("{line}: `#[ignore]`: a test runs, or it goes"))
    .collect()
}

/// The lines on which `word` stands, where what follows it fits.
fn words<'a>(
    code: &'a str,
    word: &'a str,
    fits: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word)
        .filter(move |(at, _)| {
            let (before, rest) = (&code[..*at], &code[at + word.len()..]);
            !before.ends_with(is_word) && !rest.starts_with(is_word) && fits(rest)
        })
        .map(move |(at, _)| line_at(code, at))
}

/// `src/core/window.rs` is `core::window`; the crate's root has no name.
fn module(path: &str) -> Vec<&str> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    let path = path.trim_end_matches("/mod");
    if path == "lib" {
        Vec::new()
    } else {
        path.split('/').collect()
    }
}

fn level(layer: &str) -> Option<u8> {
    LAYERS
        .iter()
        .find(|(name, _)| *name == layer)
        .map(|(_, level)| *level)
}

/// What `path` names from the crate's root on, if it gets there. Supers beyond the file's depth are
/// those of a `mod tests { }` in it.
fn from_the_root(path: &str, depth: usize) -> Option<&str> {
    if let Some(rest) = path.strip_prefix("crate::") {
        return Some(rest);
    }
    let rest = path.trim_start_matches("super::");
    let supers = (path.len() - rest.len()) / "super::".len();
    (supers > 0 && supers >= depth && level(rest.split("::").next()?).is_some()).then_some(rest)
}
