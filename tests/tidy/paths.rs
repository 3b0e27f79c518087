//! The paths that code names, with the groups of `use` taken apart.

use crate::source::line_at;

pub(crate) struct Path {
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl Path {
    /// Whether this is something in `module`.
    pub(crate) fn is_in(&self, module: &str) -> bool {
        self.text
            .strip_prefix(module)
            .is_some_and(|rest| rest.starts_with("::"))
    }
}

/// Whether `next` may be part of a name.
pub(crate) fn is_word(next: char) -> bool {
    next.is_alphanumeric() || next == '_'
}

/// Every path of two or more names; `use a::{b, c::d}` has `a::b` and `a::c::d`.
pub(crate) fn paths(code: &str) -> Vec<Path> {
    let mut reader = Reader {
        code,
        at: 0,
        found: Vec::new(),
    };
    while let Some(next) = reader.peek() {
        if is_word(next) {
            reader.path("");
        } else {
            reader.at += next.len_utf8();
        }
    }
    reader.found
}

struct Reader<'a> {
    code: &'a str,
    at: usize,
    found: Vec<Path>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.code[self.at..].chars().next()
    }

    fn skip(&mut self, is_skipped: impl Fn(char) -> bool) {
        let rest = &self.code[self.at..];
        self.at += rest.find(|next| !is_skipped(next)).unwrap_or(rest.len());
    }

    fn path(&mut self, prefix: &str) {
        let line = line_at(self.code, self.at);
        let mut text = prefix.to_owned();
        loop {
            let start = self.at;
            self.skip(is_word);
            text += &self.code[start..self.at];
            self.skip(char::is_whitespace);
            if !self.code[self.at..].starts_with("::") {
                break;
            }
            self.at += "::".len();
            self.skip(char::is_whitespace);
            match self.peek() {
                Some('{') => return self.group(&(text + "::")),
                Some(next) if is_word(next) => text += "::",
                _ => {
                    text += "::*";
                    break;
                }
            }
        }
        if text.contains("::") {
            self.found.push(Path { line, text });
        }
    }

    fn group(&mut self, prefix: &str) {
        self.at += "{".len();
        while let Some(next) = self.peek() {
            match next {
                '{' => self.group(prefix),
                _ if is_word(next) => self.path(prefix),
                _ => self.at += next.len_utf8(),
            }
            if next == '}' {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_taken_apart() {
        let found = paths("use a::{b, c::{d,\n e}, f::*};\nlet g = h::i::<j::K>(l);");
        let found: Vec<_> = found
            .iter()
            .map(|path| (path.line, path.text.as_str()))
            .collect();
        let expected = [
            (1, "a::b"),
            (1, "a::c::d"),
            (2, "a::c::e"),
            (2, "a::f::*"),
            (3, "h::i::*"),
        ];
        assert_eq!(found[..5], expected);
        assert_eq!(found[5..], [(3, "j::K")]);
    }
}
