//! The part of an address behind the question mark, and names in its path.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use crate::display::Escaped;

/// What stands for itself in an address (RFC 3986, 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Why an address cannot be answered; the text goes to who asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadQuery {
    #[error("the parameter {0} is not known here")]
    Unknown(String),
    #[error("the parameter {0} is given twice")]
    Twice(&'static str),
    #[error("{0}: expected {1}")]
    Value(&'static str, &'static str),
}

/// Parameters by name, as bytes: a name need not be text.
#[derive(Debug)]
pub(super) struct Query(Vec<(&'static str, Vec<u8>)>);

impl Query {
    /// Reads parameters of which only `known` ones are expected: a misspelt one must not pass for
    /// its default.
    pub(super) fn parse(text: Option<&str>, known: &[&'static str]) -> Result<Self, BadQuery> {
        let mut pairs: Vec<(&'static str, Vec<u8>)> = Vec::new();
        for pair in text
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name);
            let Some(known) = known.iter().copied().find(|known| known.as_bytes() == name) else {
                let shown = Escaped::text(&name).to_string();
                return Err(BadQuery::Unknown(shown));
            };
            if pairs.iter().any(|(name, _)| *name == known) {
                return Err(BadQuery::Twice(known));
            }
            pairs.push((known, decode(value)));
        }
        Ok(Self(pairs))
    }

    /// A parameter's bytes, if it is given.
    pub(super) fn bytes(&self, name: &str) -> Option<&[u8]> {
        let pair = self.0.iter().find(|(other, _)| *other == name);
        pair.map(|(_, value)| value.as_slice())
    }

    /// A parameter read by `read`, if it is given.
    pub(super) fn read<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, BadQuery> {
        let Some(bytes) = self.bytes(name) else {
            return Ok(None);
        };
        let value = str::from_utf8(bytes).ok().and_then(read);
        value.map(Some).ok_or(BadQuery::Value(name, expected))
    }
}

/// Digits only: `parse` would take a sign.
pub(super) fn number(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// The bytes that a piece of an address stands for.
pub(super) fn decode(text: &str) -> Vec<u8> {
    percent_decode_str(&text.replace('+', " ")).collect()
}

/// How bytes stand in an address.
pub(super) fn encode(bytes: &[u8]) -> String {
    percent_encode(bytes, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_expected_is_not_overlooked() {
        let parse = |text| Query::parse(Some(text), &["from", "count"]);
        assert_eq!(
            parse("from=3&count=").unwrap().bytes("from"),
            Some(&b"3"[..])
        );
        assert_eq!(
            parse("form=3").unwrap_err(),
            BadQuery::Unknown("form".to_owned())
        );
        assert_eq!(parse("from=1&from=2").unwrap_err(), BadQuery::Twice("from"));
        assert!(parse("&&").unwrap().bytes("from").is_none());
    }

    #[test]
    fn names_are_bytes() {
        let query = Query::parse(Some("name=%ff+%2B"), &["name"]).unwrap();
        assert_eq!(query.bytes("name"), Some(&b"\xff +"[..]));
        assert_eq!(decode(&encode(b"\xff +/&")), b"\xff +/&");
    }

    #[test]
    fn numbers_have_digits_only() {
        assert_eq!(number("17"), Some(17));
        for bad in ["", "+1", "-1", "1.0", "18446744073709551616"] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }
}
