//! A file as the rules see it: its text, its text without comments and literals, its tests.

use std::fs;
use std::path::Path;

/// Where the project's own code lies.
const DIRECTORIES: &[&str] = &["src", "bin", "tests", ".compare", ".libzmq"];

pub(crate) struct Source {
    /// From the project's directory on.
    pub(crate) path: String,
    pub(crate) text: String,
    /// `text`, with a blank for each byte of a comment or a literal.
    pub(crate) code: String,
    /// For each line, whether it is compiled for tests only.
    is_test: Vec<bool>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = if is_rust(path) {
            without_comments_and_literals(text)
        } else {
            String::new()
        };
        let all =
            path.starts_with("tests/") || path.contains("/tests.rs") || path.contains("/tests/");
        let mut is_test = vec![all; text.lines().count()];
        for (at, _) in code
            .match_indices("#[cfg(test)]")
            .chain(code.match_indices("#[cfg(all(test"))
        {
            let lines = line_at(&code, at)..=line_at(&code, end_of_item(&code, at));
            lines.for_each(|line| is_test[line - 1] = true);
        }
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            is_test,
        }
    }

    pub(crate) fn is_rust(&self) -> bool {
        is_rust(&self.path)
    }

    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.is_test.get(line - 1).copied().unwrap_or(false)
    }
}

/// The number of the line that the byte `at` is in.
pub(crate) fn line_at(text: &str, at: usize) -> usize {
    1 + text[..at].bytes().filter(|byte| *byte == b'\n').count()
}

/// The last byte of the item that begins at `start`: its closing brace or its semicolon.
pub(crate) fn end_of_item(code: &str, start: usize) -> usize {
    let mut braces = 0;
    let mut others = 0; // a `;` in `[u8; 4]` ends nothing
    for (at, next) in code[start..].char_indices() {
        match next {
            '(' | '[' => others += 1,
            ')' | ']' => others -= 1,
            '{' => braces += 1,
            '}' => braces -= 1,
            _ => {}
        }
        if braces == 0 && (next == '}' || (next == ';' && others == 0)) {
            return start + at;
        }
    }
    code.len().saturating_sub(1)
}

/// Every Rust and Python file of the project.
pub(crate) fn all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for directory in DIRECTORIES {
        collect(root, &root.join(directory), &mut sources);
    }
    sources
}

fn collect(root: &Path, directory: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path
            .extension()
            .is_some_and(|kind| kind == "rs" || kind == "py")
        {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            sources.push(Source::new(name, &fs::read_to_string(&path).unwrap()));
        }
    }
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|kind| kind == "rs")
}

fn without_comments_and_literals(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let follows_name = code.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        let len = blank_len(rest, follows_name);
        if len == 0 {
            let next = rest.chars().next().unwrap();
            code.push(next);
            rest = &rest[next.len_utf8()..];
        } else {
            let blank = |byte| if byte == b'\n' { '\n' } else { ' ' };
            code.extend(rest[..len].bytes().map(blank));
            rest = &rest[len..];
        }
    }
    code
}

/// How many bytes at the start of `text` are a comment or a literal.
fn blank_len(text: &str, follows_name: bool) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment_len(text);
    }
    if text.starts_with('"') {
        return quoted_len(text, '"');
    }
    if text.starts_with('\'') {
        return char_len(text);
    }
    let raw = text.strip_prefix("br").or_else(|| text.strip_prefix('r'));
    let Some(raw) = raw.filter(|_| !follows_name) else {
        return 0;
    };
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    if !raw[hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", &raw[..hashes]);
    let open = text.len() - raw.len() + hashes + 1;
    text[open..]
        .find(&end)
        .map_or(text.len(), |at| open + at + end.len())
}

fn block_comment_len(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let step = &text.as_bytes()[at..];
        if step.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if step.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

fn quoted_len(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, next) in text.char_indices().skip(1) {
        match next {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if next == quote => return at + quote.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// `'x'` and `'\n'` are literals, `'a` is a lifetime.
fn char_len(text: &str) -> usize {
    let mut inside = text.chars().skip(1);
    match (inside.next(), inside.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted_len(text, '\''),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank() {
        let text =
            "a /* b /* c */ d */ e // f\n\"g\\\"h\" i 'j' '\\'' &'k r#\"l\"# br\"m\" for\"n\"";
        let code = without_comments_and_literals(text);
        assert_eq!(code.len(), text.len());
        let words: Vec<&str> = code.split_whitespace().collect();
        assert_eq!(words, ["a", "e", "i", "&'k", "for"]);
    }

    #[test]
    fn tests_are_known_as_such() {
        let source = Source::new(
            "src/a.rs",
            "fn a() {}\n#[cfg(test)]\nmod b {\n}\nfn c() {}\n",
        );
        let is_test: Vec<bool> = (1..=5).map(|line| source.is_test(line)).collect();
        assert_eq!(is_test, [false, true, true, true, false]);
        assert!(Source::new("src/core/tests.rs", "use a;\n").is_test(1));
    }
}
