//! How a message looks, on a terminal and in a pipe.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::builder::styling::{AnsiColor, Effects, Style};
use orden::client::Delivery;
use serde::Serialize;

use super::flags::Format;

/// Writes messages in one format, a line each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Show {
    pub(crate) format: Format,
    pub(crate) colour: bool,
}

const NUMBER: Style = Style::new().effects(Effects::DIMMED);
const NOTICE: Style = Style::new().effects(Effects::DIMMED.insert(Effects::ITALIC));
/// Senders have one of these each, always the same.
const SENDERS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::Yellow,
    AnsiColor::Blue,
    AnsiColor::Red,
];

#[derive(Serialize)]
struct Json<'a> {
    order: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_base64: Option<String>,
}

impl Show {
    /// Appends a line.
    pub(crate) fn write(self, delivery: &Delivery, into: &mut String) {
        match self.format {
            Format::Text if self.colour => coloured(delivery, into),
            Format::Text => {
                let (order, from) = (delivery.order, delivery.from.as_bytes());
                append!(
                    into,
                    "{order} {}: {}",
                    Plain(from),
                    Plain(&delivery.message)
                );
            }
            Format::Json => json(delivery, into),
        }
        into.push('\n');
    }
}

fn coloured(delivery: &Delivery, into: &mut String) {
    let (order, from) = (delivery.order, delivery.from.as_bytes());
    let (from_shown, message) = (Plain(from), Plain(&delivery.message));
    append!(into, "{NUMBER}{order}{NUMBER:#} ");
    if delivery.notice {
        append!(into, "{NOTICE}{from_shown}: {message}{NOTICE:#}");
    } else {
        let sum: usize = from.iter().map(|&byte| usize::from(byte)).sum();
        let style = SENDERS[sum % SENDERS.len()].on_default().bold();
        append!(into, "{style}{from_shown}{style:#}: {message}");
    }
}

fn json(delivery: &Delivery, into: &mut String) {
    let (from, from_base64) = text_or_base64(delivery.from.as_bytes());
    let (message, message_base64) = text_or_base64(&delivery.message);
    let shown = Json {
        order: delivery.order.0,
        from,
        from_base64,
        message,
        message_base64,
    };
    into.push_str(&serde_json::to_string(&shown).expect("strings and numbers are JSON"));
}

fn text_or_base64(bytes: &[u8]) -> (Option<&str>, Option<String>) {
    match str::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(_) => (None, Some(STANDARD.encode(bytes))),
    }
}

/// What others have written, as text that can do nothing to a terminal: control characters are
/// escaped, and those that turn the direction of writing around, what is not UTF-8 is replaced.
pub(crate) struct Plain<'a>(pub(crate) &'a [u8]);

impl std::fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in String::from_utf8_lossy(self.0).chars() {
            if c.is_control() || rewrites(c) {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// Line ends that are no control characters, and marks of direction (UAX 9).
fn rewrites(c: char) -> bool {
    matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `write!` to a string, which cannot fail.
macro_rules! append {
    ($into:expr, $($format:tt)*) => {
        write!($into, $($format)*).expect("a string takes everything")
    };
}
use append;

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use orden::wire::{ClientSequence, Name, OrderNumber};

    use super::*;

    fn shown(format: Format, colour: bool, from: &[u8], message: &[u8]) -> String {
        let delivery = Delivery {
            order: OrderNumber(17),
            from: Name::new(from).unwrap(),
            message: message.to_vec(),
            client_sequence: ClientSequence::NONE,
            time: SystemTime::UNIX_EPOCH,
            notice: false,
        };
        let mut line = String::new();
        Show { format, colour }.write(&delivery, &mut line);
        line
    }

    #[test]
    fn text_is_for_people() {
        let text = |from, message| shown(Format::Text, false, from, message);
        assert_eq!(text(b"ana", b"hola"), "17 ana: hola\n");
        assert_eq!(text(b"ana", b""), "17 ana: \n");
        assert_eq!(text(b"ana", "¿qué?".as_bytes()), "17 ana: ¿qué?\n");
    }

    #[test]
    fn nobody_rewrites_the_screen() {
        let text = |from, message| shown(Format::Text, false, from, message);
        assert_eq!(
            text(b"a\x1bna", b"\x1b[2Jhola\r\n18 ben: no"),
            "17 a\\u{1b}na: \\u{1b}[2Jhola\\r\\n18 ben: no\n"
        );
        assert_eq!(
            text(b"ana", "\u{9b}2J\u{202e}aloh".as_bytes()),
            "17 ana: \\u{9b}2J\\u{202e}aloh\n"
        );
        assert_eq!(text(b"ana", b"\xff!"), "17 ana: \u{fffd}!\n");
        let coloured = shown(Format::Text, true, b"ana", b"\x1b[0m");
        assert!(coloured.ends_with(": \\u{1b}[0m\n"), "{coloured:?}");
    }

    #[test]
    fn json_is_for_programs() {
        let json = |from, message| shown(Format::Json, true, from, message);
        assert_eq!(
            json(b"ana", b"hola"),
            "{\"order\":17,\"from\":\"ana\",\"message\":\"hola\"}\n"
        );
        assert_eq!(
            json(b"ana", b"\"\n\x1b"),
            "{\"order\":17,\"from\":\"ana\",\"message\":\"\\\"\\n\\u001b\"}\n"
        );
        assert_eq!(
            json(b"an\xe1", b"\xff\xfe"),
            "{\"order\":17,\"from_base64\":\"YW7h\",\"message_base64\":\"//4=\"}\n"
        );
    }
}
