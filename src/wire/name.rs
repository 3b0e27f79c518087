//! The name that a member is known by: bytes, as ZeroMQ's routing ids are.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::display::Escaped;

/// The sender of the broker's own notices; no member may take it.
pub const SERVER_NAME: &str = "Server";

/// A member's name: 1 to 255 bytes, the first not zero. Cheap to clone.
///
/// Names are opaque bytes, since a routing id is; people see them through [`fmt::Display`], by
/// [`Escaped::name`]: so no name forges a line of a log or rewrites a screen, and names that
/// differ look different.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<[u8]>);

/// Why bytes cannot be a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// No bytes at all.
    #[error("a name cannot be empty")]
    Empty,
    /// More than [`Name::MAX_LEN`] bytes.
    #[error("a name has at most 255 bytes")]
    TooLong,
    /// ZeroMQ keeps such routing ids for the ones it generates.
    #[error("a name cannot begin with a zero byte")]
    LeadingZero,
    /// The name that the broker's notices carry.
    #[error("the name \"Server\" belongs to the broker")]
    Reserved,
}

impl Name {
    /// The most bytes a ZeroMQ routing id, and so a name, can have.
    pub const MAX_LEN: usize = 255;

    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`BadName`] says which rule the bytes break.
    pub fn new(bytes: &[u8]) -> Result<Self, BadName> {
        match bytes {
            [] => Err(BadName::Empty),
            [0, ..] => Err(BadName::LeadingZero),
            _ if bytes.len() > Self::MAX_LEN => Err(BadName::TooLong),
            _ if bytes == SERVER_NAME.as_bytes() => Err(BadName::Reserved),
            _ => Ok(Self(bytes.into())),
        }
    }

    /// The name under which the broker's notices are ordered.
    #[must_use]
    pub fn server() -> Self {
        Self(SERVER_NAME.as_bytes().into())
    }

    /// Whether it is as clients draw one for a single run: `client-` and 16 hexadecimal digits, or
    /// `py-` and 12. After that run no program comes back under it.
    #[must_use]
    pub fn is_drawn(&self) -> bool {
        let forms = [(&b"client-"[..], 16), (b"py-", 12)];
        forms.iter().any(|(prefix, digits)| {
            let drawn = self.0.strip_prefix(*prefix);
            drawn.is_some_and(|drawn| {
                drawn.len() == *digits && drawn.iter().all(u8::is_ascii_hexdigit)
            })
        })
    }

    /// The name as it is on the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped::name(&self.0).fmt(f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}
