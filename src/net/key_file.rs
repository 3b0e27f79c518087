//! Key files, as pyzmq's `zmq.auth` reads and writes them (a subset of ZPL, RFC 4).
//!
//! ```text
//! # a comment
//! metadata
//!     names = "ana bea"
//!     may = "publish receive"
//! curve
//!     public-key = "…40 characters…"
//!     secret-key = "…40 characters…"
//! ```
//! `names` and `may` are orden's own; pyzmq passes over them. A list of many public keys in one
//! file has a line for each: the key, then `name=…` and `may=…` as often as there are.
//! Decoding is total, and no error repeats what a line holds: it may be a secret.

use crate::core::{Actions, Grant};
use crate::wire::{BadKey, BadName, Name, PublicKey, SecretKey};

/// What a key file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// The key that others may know.
    pub public: PublicKey,
    /// The key that only its owner may know.
    pub secret: Option<SecretKey>,
    /// The names that belong to the key; none: any that belong to no other.
    pub names: Vec<Name>,
    /// What its holder may do.
    pub may: Actions,
}

/// Why a file is no key file. Lines are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeyFile {
    /// Not UTF-8.
    #[error("not a text")]
    NotText,
    /// A line that is neither a section nor `key = value`.
    #[error("line {0}: expected a section, or key = value")]
    Syntax(usize),
    /// No `public-key`.
    #[error("no public-key")]
    NoPublicKey,
    /// A key that is none.
    #[error("line {0}: {1}")]
    Key(usize, BadKey),
    /// The same again.
    #[error("line {0}: the same twice")]
    Twice(usize),
    /// A name that no member can have.
    #[error("line {0}: {1}")]
    Name(usize, BadName),
    /// Something to do that there is not.
    #[error("line {0}: there is publish, receive and administer")]
    Action(usize),
}

impl KeyFile {
    /// A file with a public key, no names, and what a key may do by default.
    #[must_use]
    pub fn new(public: PublicKey) -> Self {
        Self {
            public,
            secret: None,
            names: Vec::new(),
            may: Actions::default(),
        }
    }

    /// The key, and what it is good for.
    #[must_use]
    pub fn into_grant(self) -> (PublicKey, Grant) {
        let grant = Grant {
            names: self.names.into_iter().collect(),
            may: self.may,
        };
        (self.public, grant)
    }

    /// Reads a key file.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadKeyFile> {
        let text = text(bytes)?;
        let (mut public, mut secret) = (None, None);
        let (mut names, mut may) = (None, None);
        for (line, number) in text.lines().zip(1..) {
            let content = line.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let Some((key, value)) = content.split_once('=') else {
                // A section; which one it is makes no difference, as for pyzmq.
                if line.starts_with(char::is_whitespace) || content.contains(' ') {
                    return Err(BadKeyFile::Syntax(number));
                }
                continue;
            };
            let value = value.trim().trim_matches(['"', '\'']);
            let bad_key = |bad| BadKeyFile::Key(number, bad);
            match key.trim() {
                "public-key" => {
                    let key = PublicKey::from_z85(value.as_bytes()).map_err(bad_key)?;
                    once(&mut public, key, number)?;
                }
                "secret-key" => {
                    let key = SecretKey::from_z85(value.as_bytes()).map_err(bad_key)?;
                    once(&mut secret, key, number)?;
                }
                "names" => once(&mut names, read_names(words(value), number)?, number)?,
                "may" => once(&mut may, read_actions(words(value), number)?, number)?,
                _ => {}
            }
        }
        Ok(Self {
            public: public.ok_or(BadKeyFile::NoPublicKey)?,
            secret,
            names: names.unwrap_or_default(),
            may: may.unwrap_or_default(),
        })
    }

    /// The file's text, under a line that says what it is.
    ///
    /// Names with a blank, a comma, a quotation mark or what is not UTF-8 cannot be written.
    #[must_use]
    pub fn encode(&self) -> String {
        let kind = match self.secret {
            None => "ZeroMQ CURVE public key: to be given to those who check who you are",
            Some(_) => {
                "ZeroMQ CURVE **secret** key: give it to no one, keep this file unreadable to others"
            }
        };
        let mut lines = vec![format!("#   {kind}"), String::new(), "metadata".to_owned()];
        // As they are: `Name` itself would escape a backslash.
        let text = |name: &Name| String::from_utf8_lossy(name.as_bytes()).into_owned();
        let names: Vec<_> = self.names.iter().map(text).collect();
        if !names.is_empty() {
            lines.push(said("names", &names.join(" ")));
        }
        if self.may != Actions::default() {
            lines.push(said("may", &written(self.may).join(" ")));
        }
        lines.push("curve".to_owned());
        lines.push(said("public-key", &self.public.to_string()));
        if let Some(secret) = &self.secret {
            lines.push(said("secret-key", &secret.to_z85()));
        }
        lines.join("\n") + "\n"
    }
}

/// Reads a list of public keys, a line each: `KEY name=ana name=bea may=publish may=receive`.
pub fn decode_list(bytes: &[u8]) -> Result<Vec<KeyFile>, BadKeyFile> {
    let text = text(bytes)?;
    let mut keys = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let mut parts = line.split_whitespace();
        // A key can begin with the sign of a comment, which therefore stands alone.
        let Some(first) = parts.next().filter(|first| !is_comment(first)) else {
            continue;
        };
        let bad_key = |bad| BadKeyFile::Key(number, bad);
        let mut key = KeyFile::new(PublicKey::from_z85(first.as_bytes()).map_err(bad_key)?);
        let mut may: Option<Actions> = None;
        for part in parts {
            match part.split_once('=') {
                Some(("name", name)) => key.names.extend(read_names([name], number)?),
                Some(("may", action)) => {
                    let action = read_actions(action.split(','), number)?;
                    may = Some(either(may.unwrap_or(Actions::NONE), action));
                }
                _ => return Err(BadKeyFile::Syntax(number)),
            }
        }
        key.may = may.unwrap_or_default();
        keys.push(key);
    }
    Ok(keys)
}

/// Some editors put a byte-order mark before a text.
fn text(bytes: &[u8]) -> Result<&str, BadKeyFile> {
    let text = str::from_utf8(bytes).map_err(|_| BadKeyFile::NotText)?;
    Ok(text.trim_start_matches('\u{FEFF}'))
}

fn is_comment(first: &str) -> bool {
    first.starts_with('#') && first.len() != 40
}

fn words(value: &str) -> impl Iterator<Item = &str> {
    value
        .split([' ', '\t', ','])
        .filter(|word| !word.is_empty())
}

fn once<T>(slot: &mut Option<T>, value: T, line: usize) -> Result<(), BadKeyFile> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(BadKeyFile::Twice(line)),
    }
}

fn read_names<'a>(
    names: impl IntoIterator<Item = &'a str>,
    line: usize,
) -> Result<Vec<Name>, BadKeyFile> {
    let read = |name: &str| Name::new(name.as_bytes()).map_err(|bad| BadKeyFile::Name(line, bad));
    names.into_iter().map(read).collect()
}

fn read_actions<'a>(
    words: impl IntoIterator<Item = &'a str>,
    line: usize,
) -> Result<Actions, BadKeyFile> {
    let mut actions = Actions::NONE;
    for word in words {
        match word {
            "publish" => actions.publish = true,
            "receive" => actions.receive = true,
            "administer" => actions.administer = true,
            _ => return Err(BadKeyFile::Action(line)),
        }
    }
    Ok(actions)
}

fn either(left: Actions, right: Actions) -> Actions {
    Actions {
        publish: left.publish || right.publish,
        receive: left.receive || right.receive,
        administer: left.administer || right.administer,
    }
}

fn said(key: &str, value: &str) -> String {
    format!("    {key} = \"{value}\"")
}

fn written(actions: Actions) -> Vec<&'static str> {
    let all = [
        (actions.publish, "publish"),
        (actions.receive, "receive"),
        (actions.administer, "administer"),
    ];
    let granted = all.into_iter().filter(|(granted, _)| *granted);
    granted.map(|(_, word)| word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
    const SECRET: &str = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

    #[test]
    fn what_pyzmq_writes() {
        let text = format!(
            "#   ****  Generated on 2026-01-01 by pyzmq  ****\n\
             #   ZeroMQ CURVE **Secret** Certificate\n\n\
             metadata\n    email = ana@example.org\ncurve\n    public-key = \"{PUBLIC}\"\n    \
             secret-key = \"{SECRET}\"\n"
        );
        let read = KeyFile::decode(text.as_bytes()).unwrap();
        assert_eq!(read.public.to_string(), PUBLIC);
        assert_eq!(read.secret.as_ref().unwrap().to_z85(), SECRET);
        assert_eq!((read.names.len(), read.may), (0, Actions::default()));
        assert_eq!(KeyFile::decode(read.encode().as_bytes()), Ok(read));
    }

    #[test]
    fn names_and_actions_come_back() {
        let mut file = KeyFile::new(PublicKey::from_z85(PUBLIC.as_bytes()).unwrap());
        file.names = ["ana", r"b\n"]
            .map(|name| Name::new(name.as_bytes()).unwrap())
            .to_vec();
        file.may = Actions {
            publish: false,
            administer: true,
            ..Actions::default()
        };
        assert_eq!(KeyFile::decode(file.encode().as_bytes()), Ok(file.clone()));
        let line = format!("# who may\n\n{PUBLIC} name=ana may=receive,administer name=b\\n\n");
        assert_eq!(decode_list(line.as_bytes()), Ok(vec![file]));
    }

    #[test]
    fn what_is_wrong_is_named_and_not_repeated() {
        let with = |text: String| KeyFile::decode(text.as_bytes()).unwrap_err();
        let public = format!("public-key = \"{PUBLIC}\"\n");
        assert_eq!(with(String::new()), BadKeyFile::NoPublicKey);
        assert_eq!(with(format!("{public}{public}")), BadKeyFile::Twice(2));
        assert_eq!(
            with(format!("{public}may = \"all\"")),
            BadKeyFile::Action(2)
        );
        let name = BadKeyFile::Name(2, BadName::Reserved);
        assert_eq!(with(format!("{public}names = \"Server\"")), name);
        let cut = with(format!("{public}secret-key = \"{}\"", &SECRET[1..]));
        assert_eq!(cut, BadKeyFile::Key(2, BadKey::Length(39)));
        assert!(!cut.to_string().contains(&SECRET[1..5]));
        assert_eq!(KeyFile::decode(&[0xC3, 0x28]), Err(BadKeyFile::NotText));
        let list = decode_list(format!("{PUBLIC} ana").as_bytes());
        assert_eq!(list, Err(BadKeyFile::Syntax(1)));
    }
}
