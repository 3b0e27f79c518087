//! What can be asked over the control socket: a JSON object.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::control_limits::{LINE_BYTES, MEMBERS_DEFAULT, MEMBERS_MOST, PATIENCE, PATIENCE_MOST};
use super::report::{MembersQuery, Sort};
use crate::wire::{BadName, Name};

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// One look at everything that is counted.
    Status,
    /// Who is how far, a page at a time.
    Members(MembersQuery),
    /// End a member's connection.
    Kick(Name),
    /// End a member's session.
    End(Name),
    /// Go out of service, within so many seconds.
    Drain(u64),
    /// Read the access list and open the log file anew.
    Reload,
}

/// Why a line is no request; the text goes to the peer.
#[derive(Debug, thiserror::Error)]
pub enum BadRequest {
    /// It has no end.
    #[error("a request has at most {} bytes", LINE_BYTES)]
    TooLong,
    /// It is no JSON, or not what a request looks like.
    #[error("no request: {0}")]
    Malformed(#[from] serde_json::Error),
    /// No name is given, or two.
    #[error("give name, or name_base64 for one that is not UTF-8")]
    NoName,
    /// What is given is no name.
    #[error("no name: {0}")]
    Name(#[from] BadName),
    /// What is given is not base64.
    #[error("no base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// Out of its bounds.
    #[error("{0} is at most {1}")]
    TooMuch(&'static str, u64),
}

impl BadRequest {
    /// The reason, for programs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Malformed(_) => "malformed",
            Self::NoName | Self::Name(_) | Self::Base64(_) => "bad_name",
            Self::TooMuch(..) => "bad_value",
        }
    }
}

impl Request {
    /// Reads a line. Any bytes give a request or the reason why they are none.
    ///
    /// # Errors
    /// [`BadRequest`].
    pub fn parse(line: &[u8]) -> Result<Self, BadRequest> {
        Ok(match serde_json::from_slice(line)? {
            Said::Status {} => Self::Status,
            Said::Members {
                sort,
                limit,
                after,
                after_base64,
            } => {
                let limit = limit.unwrap_or(MEMBERS_DEFAULT);
                if limit > MEMBERS_MOST {
                    return Err(BadRequest::TooMuch("limit", MEMBERS_MOST));
                }
                let after = match (&after, &after_base64) {
                    (None, None) => None,
                    _ => Some(name(after, after_base64)?),
                };
                Self::Members(MembersQuery {
                    sort: match sort {
                        Some(Order::Lag) => Sort::Lag,
                        Some(Order::Name) | None => Sort::Name,
                    },
                    limit: usize::try_from(limit).unwrap_or(usize::MAX),
                    after,
                })
            }
            Said::Kick {
                name: text,
                name_base64,
            } => Self::Kick(name(text, name_base64)?),
            Said::End {
                name: text,
                name_base64,
            } => Self::End(name(text, name_base64)?),
            Said::Drain { patience } => {
                let patience = patience.unwrap_or(PATIENCE);
                if patience > PATIENCE_MOST {
                    return Err(BadRequest::TooMuch("patience", PATIENCE_MOST));
                }
                Self::Drain(patience)
            }
            Said::Reload {} => Self::Reload,
        })
    }

    /// The line that says this, without its end.
    ///
    /// # Panics
    /// Never: numbers and text are always JSON.
    #[must_use]
    pub fn line(&self) -> String {
        let said = match self {
            Self::Status => Said::Status {},
            Self::Members(query) => {
                let (after, after_base64) = (query.after.as_ref()).map_or((None, None), spelt);
                Said::Members {
                    sort: Some(match query.sort {
                        Sort::Name => Order::Name,
                        Sort::Lag => Order::Lag,
                    }),
                    limit: Some(query.limit as u64),
                    after,
                    after_base64,
                }
            }
            Self::Kick(name) => {
                let (name, name_base64) = spelt(name);
                Said::Kick { name, name_base64 }
            }
            Self::End(name) => {
                let (name, name_base64) = spelt(name);
                Said::End { name, name_base64 }
            }
            Self::Drain(patience) => Said::Drain {
                patience: Some(*patience),
            },
            Self::Reload => Said::Reload {},
        };
        serde_json::to_string(&said).expect("numbers and text are always JSON")
    }
}

/// A request as it stands in a line. What is not known is an error: a misspelt word must not pass
/// for its default.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
enum Said {
    Status {},
    Members {
        #[serde(skip_serializing_if = "Option::is_none")]
        sort: Option<Order>,
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        after_base64: Option<String>,
    },
    Kick {
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        name_base64: Option<String>,
    },
    End {
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        name_base64: Option<String>,
    },
    Drain {
        #[serde(skip_serializing_if = "Option::is_none")]
        patience: Option<u64>,
    },
    Reload {},
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    Name,
    Lag,
}

fn name(text: Option<String>, base64: Option<String>) -> Result<Name, BadRequest> {
    let bytes = match (text, base64) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(base64)) => BASE64.decode(base64)?,
        _ => return Err(BadRequest::NoName),
    };
    Ok(Name::new(&bytes)?)
}

/// A name as text, or in base64 where it is none.
pub(super) fn spelt(name: &Name) -> (Option<String>, Option<String>) {
    match str::from_utf8(name.as_bytes()) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(BASE64.encode(name.as_bytes()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let odd = Name::new(b"an\xe1").unwrap();
        let members = MembersQuery {
            sort: Sort::Lag,
            limit: 3,
            after: Some(odd.clone()),
        };
        for request in [
            Request::Status,
            Request::Members(members),
            Request::Kick(Name::new(b"ana").unwrap()),
            Request::End(odd),
            Request::Drain(7),
            Request::Reload,
        ] {
            let line = request.line();
            assert_eq!(Request::parse(line.as_bytes()).unwrap(), request, "{line}");
        }
    }

    #[test]
    fn what_is_not_expected_is_not_overlooked() {
        for (line, why) in [
            ("", "malformed"),
            ("{}", "malformed"),
            ("[]", "malformed"),
            (r#"{"command":"stop"}"#, "malformed"),
            (r#"{"command":"status","wait":1}"#, "malformed"),
            (r#"{"command":"drain","patience":-1}"#, "malformed"),
            (r#"{"command":"drain","patience":9999999}"#, "bad_value"),
            (r#"{"command":"members","limit":100000}"#, "bad_value"),
            (r#"{"command":"kick"}"#, "bad_name"),
            (r#"{"command":"kick","name":""}"#, "bad_name"),
            (
                r#"{"command":"kick","name":"a","name_base64":"YQ=="}"#,
                "bad_name",
            ),
            (r#"{"command":"end","name_base64":"?"}"#, "bad_name"),
            (r#"{"command":"status"} {"command":"status"}"#, "malformed"),
        ] {
            let error = Request::parse(line.as_bytes()).unwrap_err();
            assert_eq!(error.name(), why, "{line}: {error}");
        }
        let deep = "[".repeat(LINE_BYTES);
        assert!(Request::parse(deep.as_bytes()).is_err());
    }
}
