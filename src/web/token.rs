//! The token: a secret in a file, by which contents are shown.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use subtle::ConstantTimeEq;

/// Fewer characters could be guessed.
const LEAST: usize = 16;
/// More would leave no room for a head.
const MOST: usize = 1024;
/// The rights of all but the owner.
const OTHERS: u32 = 0o077;

/// Who knows it may see contents.
#[derive(Clone)]
pub struct Token(String);

/// Why a file holds no token.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct BadToken {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl Token {
    /// Reads a token: the file's one line, 16 to 1024 letters, digits and marks that can stand in
    /// a header and in a cookie. Only its owner may be able to read the file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(path: &Path) -> Result<Self, BadToken> {
        let bad = |why: String| BadToken {
            path: path.to_owned(),
            why,
        };
        let mut file = File::open(path).map_err(|error| bad(error.to_string()))?;
        // Of the file that is open: another could take its place between two looks by name.
        let mode = file
            .metadata()
            .map_err(|error| bad(error.to_string()))?
            .mode();
        if mode & OTHERS != 0 {
            let mode = mode & 0o777;
            return Err(bad(format!(
                "others may read this token (mode {mode:o}): chmod 600 it"
            )));
        }
        let mut text = String::new();
        let read = (&mut file).take(2 * MOST as u64).read_to_string(&mut text);
        read.map_err(|error| bad(error.to_string()))?;
        Self::new(text.trim_end_matches(['\n', '\r'])).map_err(|why| bad(why.to_owned()))
    }

    /// Takes text as a token.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        // RFC 6750, 2.1 (b64token), which is also what a cookie can hold.
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if !text.bytes().all(allowed) {
            return Err("a token is one line of letters, digits and -._~+/=");
        }
        if !(LEAST..=MOST).contains(&text.len()) {
            return Err("a token has 16 to 1024 characters: openssl rand -hex 32 makes one");
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether this is it, in a time that does not tell how much of it is right.
    pub(super) fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_enough_and_fits_a_header() {
        let token = Token::new("0123456789abcdef").unwrap();
        assert!(token.is("0123456789abcdef"));
        assert!(!token.is("0123456789abcdeF"));
        assert!(!token.is("0123456789abcde"));
        assert!(!token.is(""));
        for bad in ["", "short", "0123456789abcde f", "0123456789abcdef;x"] {
            assert!(Token::new(bad).is_err(), "{bad}");
        }
        assert!(!format!("{token:?}").contains("0123"));
    }
}
