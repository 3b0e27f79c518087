//! The keys of CURVE, as bytes and as the text that ZeroMQ writes them in (Z85, RFC 32).
//!
//! A secret key must never reach a log line or an error: its `Debug` says nothing, and it has no
//! `Display`.

use std::fmt;
use std::hint::black_box;

/// The 85 characters of Z85, by value.
const ALPHABET: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// Characters of a key.
const TEXT_LEN: usize = 40;
const KEY_LEN: usize = 32;

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Another length.
    #[error("a key has 40 characters, not {0}")]
    Length(usize),
    /// A character that Z85 does not have.
    #[error("character {0} of the key is none of Z85's")]
    Character(usize),
    /// Five characters that stand for more than four bytes hold.
    #[error("the five characters from {0} on stand for a number that is too large")]
    Overflow(usize),
}

/// Whose messages are whose: what a peer proves to have the secret half of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey([u8; KEY_LEN]);

impl PublicKey {
    /// The key that is these bytes.
    #[must_use]
    pub fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// The key that a text of 40 characters stands for.
    pub fn from_z85(text: &[u8]) -> Result<Self, BadKey> {
        decode(text).map(Self)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What nobody but its owner may have.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey([u8; KEY_LEN]);

impl SecretKey {
    /// The key that is these bytes.
    #[must_use]
    pub fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// The key that a text of 40 characters stands for.
    pub fn from_z85(text: &[u8]) -> Result<Self, BadKey> {
        decode(text).map(Self)
    }

    /// Its bytes, for libzmq.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// Its text, for a file that only its owner can read.
    #[must_use]
    pub fn to_z85(&self) -> String {
        encode(&self.0)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        // The black box keeps the compiler from leaving out a write that nobody reads.
        black_box(&mut self.0).fill(0);
    }
}

fn encode(key: &[u8; KEY_LEN]) -> String {
    let mut text = String::with_capacity(TEXT_LEN);
    for four in key.chunks_exact(4) {
        let value = four
            .iter()
            .fold(0, |value, byte| value << 8 | u32::from(*byte));
        for power in (0..5).rev() {
            let digit = value / 85_u32.pow(power) % 85;
            text.push(char::from(ALPHABET[digit as usize]));
        }
    }
    text
}

fn decode(text: &[u8]) -> Result<[u8; KEY_LEN], BadKey> {
    if text.len() != TEXT_LEN {
        return Err(BadKey::Length(text.len()));
    }
    let mut key = [0; KEY_LEN];
    for (group, (five, four)) in text
        .chunks_exact(5)
        .zip(key.chunks_exact_mut(4))
        .enumerate()
    {
        let mut value: u64 = 0;
        for (place, character) in five.iter().enumerate() {
            let digit = ALPHABET.iter().position(|known| known == character);
            let digit = digit.ok_or(BadKey::Character(group * 5 + place))?;
            value = value * 85 + digit as u64;
        }
        let value = u32::try_from(value).map_err(|_| BadKey::Overflow(group * 5))?;
        four.copy_from_slice(&value.to_be_bytes());
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification() {
        // RFC 32: 86 4F D2 6F B5 59 F7 5B is "HelloWorld".
        let bytes = [0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B].repeat(4);
        let key = PublicKey::new(bytes.try_into().unwrap());
        let text = "HelloWorld".repeat(4);
        assert_eq!(key.to_string(), text);
        assert_eq!(PublicKey::from_z85(text.as_bytes()), Ok(key));
    }

    #[test]
    fn what_is_no_key_says_why() {
        let with = |text: &str| PublicKey::from_z85(text.as_bytes());
        assert_eq!(with(""), Err(BadKey::Length(0)));
        assert_eq!(with(&"0".repeat(41)), Err(BadKey::Length(41)));
        let spaced = format!("{} {}", "0".repeat(20), "0".repeat(19));
        assert_eq!(with(&spaced), Err(BadKey::Character(20)));
        let large = format!("{}#####", "0".repeat(35));
        assert_eq!(with(&large), Err(BadKey::Overflow(35)));
    }

    #[test]
    fn a_secret_key_is_not_shown() {
        let key = SecretKey::new([7; 32]);
        assert!(!format!("{key:?}").contains('7'));
    }
}
