//! What commands cost in the log: judged before they are proposed, so that applying one never fails
//! for want of room.

use super::Order;
use super::apply::LONGEST_NOTICE;
use super::journal::Journal;
use crate::wire::Name;
use crate::wire::batch::HEADER_LEN;
use crate::wire::sessions::SessionEntry;

impl Order {
    /// The most bytes that one more message of a sender adds to the log.
    #[must_use]
    pub fn cost_of_message(sender: &Name, payload_bytes: usize) -> usize {
        Journal::cost_of_message(sender, payload_bytes)
    }

    /// The most bytes that a member's joining or leaving adds to the log.
    #[must_use]
    pub fn cost_of_notice(name: &Name) -> usize {
        let text = name.as_bytes().len() + LONGEST_NOTICE;
        Self::cost_of_message(&Name::server(), text) + Self::cost_of_entry(name)
    }

    /// The most bytes that noting one position adds to the log.
    #[must_use]
    pub fn cost_of_entry(name: &Name) -> usize {
        HEADER_LEN + SessionEntry::len_without_runs(name)
    }
}
