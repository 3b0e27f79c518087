//! Bytes that a peer chose, as text that can forge no line and rewrite no screen.
//!
//! Escaping is unambiguous: bytes that differ never give the same text. A byte that is not UTF-8
//! is `\xE1`, a character that is not shown is `\n`, `\r`, `\t` or `\u{202e}`, and a backslash is
//! doubled where it would otherwise read as the beginning of one of these.

use std::fmt::{self, Write as _};
use std::iter::Peekable;

/// Bytes to be shown by [`fmt::Display`].
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a> {
    bytes: &'a [u8],
    is_hidden: fn(Place) -> bool,
}

/// A character and its neighbours.
#[derive(Clone, Copy)]
struct Place {
    before: Option<Piece>,
    char: char,
    after: Option<Piece>,
}

/// A character, or a byte that belongs to none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Char(char),
    Byte(u8),
}

impl<'a> Escaped<'a> {
    /// A message's text: what acts on a terminal or on the direction of writing is escaped.
    #[must_use]
    pub fn text(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            is_hidden: |place| is_active(place.char),
        }
    }

    /// A name: besides, what is invisible, so that names which differ look different, and a
    /// colon before a blank, which ends the name in a line of text.
    #[must_use]
    pub fn name(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            is_hidden: |place| {
                is_active(place.char) || is_invisible(place.char) || is_overlooked(place)
            },
        }
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pieces = pieces(self.bytes).peekable();
        let mut before = None;
        while let Some(piece) = pieces.next() {
            match piece {
                Piece::Byte(byte) => write!(f, "\\x{byte:02x}")?,
                Piece::Char('\\') if self.needs_doubling(pieces.clone()) => f.write_str("\\\\")?,
                Piece::Char(char) => {
                    let after = pieces.peek().copied();
                    let place = Place {
                        before,
                        char,
                        after,
                    };
                    self.write_char(place, f)?;
                }
            }
            before = Some(piece);
        }
        Ok(())
    }
}

impl Escaped<'_> {
    fn write_char(&self, place: Place, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match place.char {
            char if !(self.is_hidden)(place) => f.write_char(char),
            char @ ('\n' | '\r' | '\t') => write!(f, "{}", char.escape_default()),
            char => write!(f, "{}", char.escape_unicode()),
        }
    }

    /// Whether a backslash would read as the beginning of an escape, if `rest` follows it. At the
    /// end it would, as the text that it is printed into goes on.
    fn needs_doubling(&self, mut rest: Peekable<impl Iterator<Item = Piece>>) -> bool {
        let Some(Piece::Char(char)) = rest.next() else {
            return true;
        };
        let place = Place {
            before: Some(Piece::Char('\\')),
            char,
            after: rest.peek().copied(),
        };
        matches!(char, '\\' | 'n' | 'r' | 't' | 'u' | 'x') || (self.is_hidden)(place)
    }
}

fn pieces(bytes: &[u8]) -> impl Iterator<Item = Piece> + Clone {
    bytes.utf8_chunks().flat_map(|chunk| {
        let chars = chunk.valid().chars().map(Piece::Char);
        chars.chain(chunk.invalid().iter().copied().map(Piece::Byte))
    })
}

/// Whether a character acts on the screen, the line or the direction of writing: controls (C0, C1,
/// delete), ends of lines and paragraphs, marks of direction (UAX 9, "Trojan Source", Boucher and
/// Anderson, 2021), deprecated format characters, annotations.
pub(super) fn is_active(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(char, '\u{2066}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}')
}

/// Whether a character leaves nothing on the screen, or a blank that is not the usual one:
/// `Default_Ignorable_Code_Point` of Unicode, other fillers, and white space but U+0020.
fn is_invisible(char: char) -> bool {
    let is_blank = char.is_whitespace() && char != ' ';
    is_blank
        || matches!(char, '\u{ad}' | '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}')
        || matches!(char, '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200d}')
        || matches!(
            char,
            '\u{2060}'..='\u{2065}' | '\u{2800}' | '\u{3164}' | '\u{feff}'
        )
        || matches!(char, '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}')
        || matches!(char, '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}')
        || matches!(char, '\u{e0000}'..='\u{e0fff}')
}

/// Whether a blank is easily overlooked, at an end or beside another, or a colon would read as the
/// end of the name.
fn is_overlooked(place: Place) -> bool {
    let blank = Some(Piece::Char(' '));
    match place.char {
        ' ' => place.before.is_none() || place.after.is_none() || place.before == blank,
        ':' => place.after == blank,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(text: &str) -> String {
        Escaped::text(text.as_bytes()).to_string()
    }

    fn name(text: &str) -> String {
        Escaped::name(text.as_bytes()).to_string()
    }

    #[test]
    fn ordinary_text_is_shown_as_it_is() {
        for plain in [
            "",
            "hola",
            "¿qué?",
            "naïve \u{1f468}\u{200d}\u{1f469}",
            r"¯\_(ツ)_/¯",
            r"C:\dir",
        ] {
            assert_eq!(text(plain), plain);
        }
        for plain in ["ana", "ana maría", "10.0.0.1:4242", "a:b", r"a\b"] {
            assert_eq!(name(plain), plain);
        }
    }

    #[test]
    fn no_line_is_forged_and_no_screen_rewritten() {
        assert_eq!(text("x\n18 ana: no\r\t\x07"), r"x\n18 ana: no\r\t\u{7}");
        assert_eq!(text("\x1b[2J\u{9b}2J\x7f"), r"\u{1b}[2J\u{9b}2J\u{7f}");
        assert_eq!(
            text("a\u{2028}b\u{2029}\u{85}"),
            r"a\u{2028}b\u{2029}\u{85}"
        );
        for turn in ('\u{202a}'..='\u{202e}')
            .chain('\u{2066}'..='\u{2069}')
            .chain('\u{200e}'..='\u{200f}')
        {
            assert_eq!(
                text(&format!("a{turn}b")),
                format!("a\\u{{{:x}}}b", u32::from(turn))
            );
        }
    }

    #[test]
    fn names_that_differ_look_different() {
        assert_eq!(name("an\u{200b}a"), r"an\u{200b}a");
        assert_eq!(name("an\u{a0}a"), r"an\u{a0}a");
        assert_eq!(name(" ana  b "), r"\u{20}ana \u{20}b\u{20}");
        assert_eq!(name("ana: hola"), r"ana\u{3a} hola");
        assert_eq!(Escaped::name(b"an\xe1").to_string(), r"an\xe1");
        assert_eq!(name(r"an\xe1"), r"an\\xe1");
    }

    #[test]
    fn a_backslash_is_doubled_where_it_would_read_as_an_escape() {
        assert_eq!(text(r"a\n"), r"a\\n");
        assert_eq!(text("a\\\n"), r"a\\\n");
        assert_eq!(text(r"a\\b"), r"a\\\b");
        assert_eq!(text("a\\"), r"a\\");
        assert_eq!(Escaped::text(b"a\\\xff").to_string(), r"a\\\xff");
    }

    /// Reads escaped text back.
    fn unescaped(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = text;
        while let Some(char) = rest.chars().next() {
            rest = &rest[char.len_utf8()..];
            let (read, len) = match (char, rest.as_bytes().first()) {
                ('\\', Some(b'\\')) => (vec![b'\\'], 1),
                ('\\', Some(b'n')) => (vec![b'\n'], 1),
                ('\\', Some(b'r')) => (vec![b'\r'], 1),
                ('\\', Some(b't')) => (vec![b'\t'], 1),
                ('\\', Some(b'x')) => (vec![u8::from_str_radix(&rest[1..3], 16).unwrap()], 3),
                ('\\', Some(b'u')) => {
                    let end = rest.find('}').unwrap();
                    let code = u32::from_str_radix(&rest[2..end], 16).unwrap();
                    let char = char::from_u32(code).unwrap();
                    (char.to_string().into_bytes(), end + 1)
                }
                _ => (char.to_string().into_bytes(), 0),
            };
            bytes.extend(read);
            rest = &rest[len..];
        }
        bytes
    }

    /// Bytes rich in what is escaped and in what escapes are made of.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => prop::sample::select(vec!["\\", "n", "x", "u", "{", "e1", " ", ":", "\n", "\u{202e}"])
                .prop_map(|text| text.as_bytes().to_vec()),
            1 => any::<char>().prop_map(|char| char.to_string().into_bytes()),
            1 => any::<u8>().prop_map(|byte| vec![byte]),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn escaped_text_reads_back_as_it_was(bytes in bytes()) {
            for escaped in [Escaped::text(&bytes), Escaped::name(&bytes)] {
                let shown = escaped.to_string();
                prop_assert!(!shown.chars().any(is_active), "{shown:?}");
                prop_assert_eq!(unescaped(&shown), &bytes[..], "{}", shown);
            }
        }
    }
}
