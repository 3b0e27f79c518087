//! Members in pages.

use std::cmp::Reverse;

use super::report::{Member, MembersPage, MembersQuery, Sort, lag};
use crate::core::MemberStatus;
use crate::wire::OrderNumber;

/// A page of members that lie in the order of their names, while the next message gets the number
/// `end`.
pub(super) fn page(
    members: &[MemberStatus],
    end: OrderNumber,
    query: &MembersQuery,
) -> MembersPage {
    let by_lag = |member: &&MemberStatus| Reverse(lag(member, end).unwrap_or(0));
    let mut rest: Vec<&MemberStatus> = match (&query.after, query.sort) {
        (Some(after), Sort::Name) => {
            let from = members.partition_point(|member| member.name <= *after);
            members[from..].iter().collect()
        }
        (Some(after), Sort::Lag) => {
            match members.binary_search_by(|member| member.name.cmp(after)) {
                Ok(at) => {
                    let place = (by_lag(&&members[at]), after);
                    let comes_after =
                        |member: &&MemberStatus| (by_lag(member), &member.name) > place;
                    members.iter().filter(comes_after).collect()
                }
                // It has left meanwhile, and its place is not known: no member may be left out.
                Err(_) => members.iter().collect(),
            }
        }
        (None, _) => members.iter().collect(),
    };
    let more = rest.len() > query.limit;
    if query.sort == Sort::Lag {
        let key = |member: &&MemberStatus| (by_lag(member), member.name.clone());
        if more && query.limit > 0 {
            rest.select_nth_unstable_by_key(query.limit - 1, key);
            rest.truncate(query.limit);
        }
        rest.sort_by_key(key);
    }
    rest.truncate(query.limit);
    let last = rest.last().filter(|_| more);
    MembersPage {
        next: last.map(|member| member.name.clone()),
        total: members.len(),
        members: rest.iter().map(|member| Member::of(member, end)).collect(),
    }
}
