//! Where items end, and how long functions are, in code without comments and literals.

use crate::paths::is_word;
use crate::source::line_at;

pub(crate) struct Function<'a> {
    pub(crate) name: &'a str,
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

/// Every function that has a body.
pub(crate) fn functions(code: &str) -> Vec<Function<'_>> {
    let starts = code
        .match_indices("fn ")
        .filter(|(at, _)| !code[..*at].ends_with(is_word));
    starts
        .filter_map(|(at, keyword)| {
            let rest = &code[at + keyword.len()..];
            let name = &rest[..rest.find(|next| !is_word(next))?];
            let line = line_at(code, at);
            let lines = line_at(code, end_of_item(code, at)) - line + 1;
            (!name.is_empty()).then_some(Function { name, line, lines })
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_have_lengths() {
        let code = "fn a() -> [u8; 2] {\n  { }\n}\ntrait T { fn b(); fn c() {\n} }\nf: fn(u8),";
        let found: Vec<_> = functions(code)
            .iter()
            .map(|f| (f.name, f.line, f.lines))
            .collect();
        assert_eq!(found, [("a", 1, 3), ("b", 4, 1), ("c", 4, 2)]);
    }
}
