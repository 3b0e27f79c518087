//! What is answered over the control socket.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::View;
use super::report::MembersPage;
use super::request::{Request, spelt};
use crate::broker::NotDone;
use crate::display::to_json;

/// Reads anew what can be, and says what that is, or what went wrong.
pub type Reload = Arc<dyn Fn() -> Result<Vec<&'static str>, String> + Send + Sync>;

/// The line that answers a line.
pub(super) fn answer(line: &[u8], view: &View, reload: &Reload) -> String {
    let request = match Request::parse(line) {
        Ok(request) => request,
        Err(error) => return refuse(error.name(), &error),
    };
    let operator = &view.outside().operator;
    match request {
        Request::Status => ended(&view.status()),
        Request::Members(query) => {
            let page = view.members(&query);
            let (next, next_base64) = page.next.as_ref().map_or((None, None), spelt);
            ended(&Page {
                listed: &page,
                next,
                next_base64,
            })
        }
        Request::Kick(name) => done(operator.kick(&name)),
        Request::End(name) => done(operator.end(&name)),
        Request::Drain(patience) => done(operator.drain(Duration::from_secs(patience))),
        Request::Reload => match reload() {
            Ok(reloaded) => ended(&Reloaded { reloaded }),
            Err(why) => refuse("not_reloaded", &why),
        },
    }
}

/// The line that says why something was not done.
pub(super) fn refuse(reason: &str, why: &dyn Display) -> String {
    ended(&Refused {
        error: reason,
        text: why.to_string(),
    })
}

fn done(result: Result<(), NotDone>) -> String {
    match result {
        Ok(()) => ended(&Done { done: true }),
        Err(error) => {
            let reason = match error {
                NotDone::Declined(why) => why.name(),
                NotDone::Stopped => "stopped",
                NotDone::NoAnswer => "no_answer",
            };
            refuse(reason, &error)
        }
    }
}

fn ended(value: &impl Serialize) -> String {
    let mut line = to_json(value);
    line.push('\n');
    line
}

#[derive(Serialize)]
struct Refused<'a> {
    error: &'a str,
    text: String,
}

#[derive(Serialize)]
struct Done {
    done: bool,
}

#[derive(Serialize)]
struct Reloaded {
    reloaded: Vec<&'static str>,
}

#[derive(Serialize)]
struct Page<'a> {
    #[serde(flatten)]
    listed: &'a MembersPage,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_base64: Option<String>,
}
