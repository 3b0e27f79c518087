//! A message on standard output: in colour for a terminal, otherwise as [`Message`] has it.

use std::fmt::Write as _;

use clap::builder::styling::{AnsiColor, Effects, Style};
use orden::client::Delivery;
use orden::display::Message;

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

impl Show {
    /// Appends a line.
    pub(crate) fn write(self, delivery: &Delivery, into: &mut String) {
        let message = Message::from(delivery);
        match self.format {
            Format::Text if self.colour => coloured(message, into),
            Format::Text => append!(into, "{message}"),
            Format::Json => into.push_str(&message.to_json()),
        }
        into.push('\n');
    }
}

/// The line of text that [`Message`] is, in colours.
fn coloured(message: Message<'_>, into: &mut String) {
    let (order, sender, text) = (message.order, message.sender(), message.text());
    append!(into, "{NUMBER}{order}{NUMBER:#} ");
    if message.is_notice {
        append!(into, "{NOTICE}{sender}: {text}{NOTICE:#}");
    } else {
        let sum: usize = message.from.iter().map(|&byte| usize::from(byte)).sum();
        let style = SENDERS[sum % SENDERS.len()].on_default().bold();
        append!(into, "{style}{sender}{style:#}: {text}");
    }
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
    fn colours_change_nothing_but_the_colour() {
        let plain = shown(Format::Text, false, b"ana", b"\x1b[0m");
        assert_eq!(plain, "17 ana: \\u{1b}[0m\n");
        let coloured = shown(Format::Text, true, b"ana", b"\x1b[0m");
        assert!(coloured.ends_with(": \\u{1b}[0m\n"), "{coloured:?}");
    }

    #[test]
    fn json_has_no_colour() {
        let json = |colour| shown(Format::Json, colour, b"ana", b"hola");
        assert_eq!(json(true), json(false));
        assert!(json(true).starts_with("{\"order\":17,\"from\":\"ana\","));
    }
}
