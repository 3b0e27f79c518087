//! The table of members, by name. It is iterated by place only, so that brokers that have applied
//! the same commands write the same snapshot.

use std::collections::HashMap;

use super::member::Member;
use crate::wire::PublicKey;

/// A member's place in the table. Reused once its session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub usize);

/// All members. Invariant: a name belongs to one.
#[derive(Debug, Default)]
pub(super) struct Members {
    slots: Vec<Option<Member>>,
    free: Vec<usize>,
    by_name: HashMap<crate::wire::Name, MemberId>,
    /// How many names each key has.
    by_key: HashMap<PublicKey, usize>,
}

impl Members {
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(super) fn by_name(&self, name: &[u8]) -> Option<MemberId> {
        self.by_name.get(name).copied()
    }

    pub(super) fn get(&self, id: MemberId) -> Option<&Member> {
        self.slots.get(id.0)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: MemberId) -> Option<&mut Member> {
        self.slots.get_mut(id.0)?.as_mut()
    }

    /// All of them, by their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (MemberId, &Member)> {
        let places = self.slots.iter().enumerate();
        places.filter_map(|(at, slot)| Some((MemberId(at), slot.as_ref()?)))
    }

    /// Adds a member, unless its name is taken: then gives back who has it.
    pub(super) fn insert(&mut self, member: Member) -> Result<MemberId, MemberId> {
        if let Some(holder) = self.by_name(member.name().as_bytes()) {
            return Err(holder);
        }
        let id = MemberId(self.free.pop().unwrap_or(self.slots.len()));
        self.by_name.insert(member.name().clone(), id);
        if id.0 == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[id.0] = Some(member);
        Ok(id)
    }

    /// Takes a member out, if it is one.
    pub(super) fn remove(&mut self, id: MemberId) -> Option<Member> {
        self.give(id, None);
        let member = self.slots.get_mut(id.0)?.take()?;
        self.by_name.remove(member.name().as_bytes());
        self.free.push(id.0);
        Some(member)
    }

    /// How many names a key has.
    pub(super) fn names_of(&self, key: &PublicKey) -> usize {
        self.by_key.get(key).copied().unwrap_or(0)
    }

    /// Notes which key speaks for a member.
    pub(super) fn give(&mut self, id: MemberId, key: Option<PublicKey>) {
        let Some(member) = self.get_mut(id) else {
            return;
        };
        let before = std::mem::replace(&mut member.key, key);
        if before == key {
            return;
        }
        if let Some(key) = key {
            *self.by_key.entry(key).or_default() += 1;
        }
        if let Some(before) = before
            && let Some(count) = self.by_key.get_mut(&before)
        {
            *count -= 1;
            if *count == 0 {
                self.by_key.remove(&before);
            }
        }
    }
}
