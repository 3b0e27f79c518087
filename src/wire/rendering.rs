//! Between the dialects: a sender's name within the text, or apart from it.
//!
//! The fixed dialects put the name into the payload, `name: text`, by convention; the native one
//! has it apart. What is ordered is always the second form, and [`parts`] undoes [`split`] to
//! the byte: nobody reads a name twice, and nobody's payload changes.

use super::Name;
use super::record::{Flags, Record};

/// What lies between a name and a text in the fixed dialects.
pub const SEPARATOR: &[u8] = b": ";

/// A payload of the fixed dialects in pieces, so that nothing is copied to join them.
pub type Parts<'a> = [&'a [u8]; 3];

/// What a record says in the fixed dialects.
#[must_use]
pub fn parts<'a>(record: &Record<'a>) -> Parts<'a> {
    if record.flags.has(Flags::VERBATIM) {
        [record.payload, b"", b""]
    } else {
        [record.sender, SEPARATOR, record.payload]
    }
}

/// What is ordered for a payload of a fixed dialect: its text and what is special about it.
#[must_use]
pub fn split<'a>(sender: &Name, payload: &'a [u8]) -> (Flags, &'a [u8]) {
    let text = payload
        .strip_prefix(sender.as_bytes())
        .and_then(|rest| rest.strip_prefix(SEPARATOR));
    match text {
        Some(text) => (Flags::default(), text),
        None => (Flags::VERBATIM, payload),
    }
}

/// Whether a payload reaches the peers of a dialect as it was ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a payload that was changed is counted"]
pub enum Fidelity {
    /// To the byte.
    Exact,
    /// With U+FFFD in place of bytes that are not UTF-8: JSON carries text only.
    Replaced,
    /// Without its end: the original reads at most [`super::raw::LIMIT`] bytes a message.
    Cut,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{ClientSequence, OrderNumber};

    fn record<'a>(sender: &'a [u8], (flags, payload): (Flags, &'a [u8])) -> Record<'a> {
        Record {
            order: OrderNumber(0),
            client_sequence: ClientSequence::NONE,
            time: 0,
            flags,
            sender,
            payload,
        }
    }

    #[test]
    fn a_name_is_taken_off_once_and_put_back() {
        let ana = Name::new(b"ana").unwrap();
        for (payload, text) in [
            ("ana: hola", "hola"),
            ("ana: ana: hola", "ana: hola"),
            ("ana: ", ""),
            ("ana:hola", "ana:hola"),
            ("berta: hola", "berta: hola"),
            ("anabel: hola", "anabel: hola"),
            ("", ""),
        ] {
            let ordered = split(&ana, payload.as_bytes());
            assert_eq!(ordered.1, text.as_bytes(), "{payload}");
            let shown = parts(&record(b"ana", ordered)).concat();
            assert_eq!(shown, payload.as_bytes());
        }
    }

    #[test]
    fn a_native_message_is_shown_with_its_name() {
        let message = record(b"ana", (Flags::default(), b"berta: hola"));
        assert_eq!(parts(&message).concat(), b"ana: berta: hola");
        let notice = record(b"Server", (Flags::NOTICE, b"ana has joined the net"));
        assert_eq!(parts(&notice).concat(), b"Server: ana has joined the net");
    }
}
