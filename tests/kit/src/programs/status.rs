//! What a broker says of itself when it is asked by a signal.

use std::collections::BTreeMap;

/// Who is how far, and what has happened how often.
#[derive(Debug, Default)]
pub struct Status {
    /// The number that the next message gets.
    pub next: u64,
    /// The members by name.
    pub members: BTreeMap<String, Member>,
    counters: String,
}

/// A member, as the status shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What it last spoke.
    pub dialect: String,
    /// Whether it is connected.
    pub present: bool,
    /// The first number that it has not acknowledged.
    pub floor: u64,
}

impl Status {
    /// What the last line of a status holds.
    pub const LAST: &str = "Counters {";

    pub fn parse(lines: &[String]) -> Self {
        let mut status = Self::default();
        for line in lines {
            // Each line begins with the time and the level.
            let text = line
                .split_once("] ")
                .map_or(line.as_str(), |(_, text)| text);
            if let Some(rest) = text.strip_prefix("next order number ") {
                let number = rest.split(',').next().unwrap_or_default();
                status.next = number.parse().expect("a number");
            } else if text.contains(Self::LAST) {
                text.clone_into(&mut status.counters);
            } else if let Some((name, member)) = member(text) {
                status.members.insert(name, member);
            }
        }
        status
    }

    /// How often something was refused for this reason.
    pub fn refused(&self, reason: &str) -> u64 {
        number_after(self.all_refused(), &format!("{reason:?}: ")).unwrap_or(0)
    }

    /// How often something was refused, for each reason that there was, as the broker writes it.
    pub fn all_refused(&self) -> &str {
        let refused = self.counters.split_once("refused: {");
        let (_, reasons) = refused.unwrap_or_else(|| panic!("{}", self.counters));
        reasons
    }

    /// How often something has happened.
    pub fn count(&self, counter: &str) -> u64 {
        let count = number_after(&self.counters, &format!("{counter}: "));
        count.unwrap_or_else(|| panic!("no {counter} in {}", self.counters))
    }
}

/// `ana (Binary, present) expects 17`
fn member(text: &str) -> Option<(String, Member)> {
    let (rest, floor) = text.rsplit_once(") expects ")?;
    let (name, state) = rest.rsplit_once(" (")?;
    let (dialect, presence) = state.split_once(", ")?;
    let member = Member {
        dialect: dialect.to_owned(),
        present: presence == "present",
        floor: floor.parse().ok()?,
    };
    Some((name.to_owned(), member))
}

fn number_after(text: &str, key: &str) -> Option<u64> {
    let (_, rest) = text.split_once(key)?;
    let digits = rest.split(|next: char| !next.is_ascii_digit()).next()?;
    digits.parse().ok()
}
