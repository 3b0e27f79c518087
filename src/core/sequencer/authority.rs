//! Who may do what: public keys, the names that belong to them, and what their holders may do.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use crate::wire::{Name, PublicKey};

/// Whom the broker serves.
#[derive(Clone, Debug, Default)]
pub enum Authority {
    /// Whoever reaches its sockets.
    #[default]
    Open,
    /// Who has one of these keys.
    Keys(Grants),
}

/// What each key is good for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    by_key: HashMap<PublicKey, Grant>,
    /// Names that belong to at least one key.
    owned: HashSet<Name>,
}

/// What the holder of a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actions {
    /// Have messages ordered.
    pub publish: bool,
    /// Be sent what is ordered.
    pub receive: bool,
    /// Ask the broker about itself, and tell it what to do.
    pub administer: bool,
}

impl Actions {
    /// Nothing.
    pub const NONE: Self = Self {
        publish: false,
        receive: false,
        administer: false,
    };
}

impl Default for Actions {
    /// What a key may do of which nothing else is said.
    fn default() -> Self {
        Self {
            publish: true,
            receive: true,
            administer: false,
        }
    }
}

/// What one key is good for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// The names that belong to it; none: it may use any that belong to no key.
    pub names: HashSet<Name>,
    /// What its holder may do.
    pub may: Actions,
}

impl Authority {
    /// Whether a name belongs to a key.
    pub(super) fn owns(&self, name: &[u8]) -> bool {
        match self {
            Self::Open => false,
            Self::Keys(grants) => grants.owned.contains(name),
        }
    }
}

impl Grants {
    /// What each of these keys is good for. A key that stands there twice has the names of both,
    /// and may do what both allow. A name can belong to two keys: that is how a key is exchanged.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = (PublicKey, Grant)>) -> Self {
        let mut grants = Self::default();
        for (key, new) in keys {
            grants.owned.extend(new.names.iter().cloned());
            match grants.by_key.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert(new);
                }
                Entry::Occupied(mut entry) => {
                    let grant = entry.get_mut();
                    grant.may = both(grant.may, new.may);
                    grant.names.extend(new.names);
                }
            }
        }
        grants
    }

    /// What a key is good for; `None`: it is not known.
    #[must_use]
    pub fn get(&self, key: &PublicKey) -> Option<&Grant> {
        self.by_key.get(key)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether there is no key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Whether the holder of `key` may be called `name`, whose session, if there is one, was
    /// last spoken for by `holder`.
    #[must_use]
    pub fn allows(&self, key: &PublicKey, name: &Name, holder: Option<&PublicKey>) -> bool {
        let Some(grant) = self.get(key) else {
            return false;
        };
        if !grant.names.is_empty() {
            return grant.names.contains(name);
        }
        // Whoever came first keeps a name that belongs to nobody, while its key is known.
        let held = holder.is_some_and(|holder| holder != key && self.by_key.contains_key(holder));
        !self.owned.contains(name) && !held
    }
}

fn both(left: Actions, right: Actions) -> Actions {
    Actions {
        publish: left.publish && right.publish,
        receive: left.receive && right.receive,
        administer: left.administer && right.administer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> PublicKey {
        PublicKey::new([number; 32])
    }

    fn name(text: &str) -> Name {
        Name::new(text.as_bytes()).unwrap()
    }

    fn grant(number: u8, names: &[&str]) -> (PublicKey, Grant) {
        let grant = Grant {
            names: names.iter().map(|text| name(text)).collect(),
            may: Actions::default(),
        };
        (key(number), grant)
    }

    #[test]
    fn a_name_that_belongs_to_a_key_is_used_by_no_other() {
        let grants = Grants::new([grant(1, &["ana"]), grant(2, &["bea"]), grant(3, &[])]);
        let allowed = |number, text| grants.allows(&key(number), &name(text), None);
        assert!(allowed(1, "ana") && allowed(2, "bea") && allowed(3, "eva"));
        assert!(!allowed(1, "bea") && !allowed(2, "eva") && !allowed(3, "ana"));
        assert!(!allowed(9, "ana") && !allowed(9, "eva"));
    }

    #[test]
    fn a_name_of_nobody_belongs_to_who_came_first() {
        let grants = Grants::new([grant(3, &[]), grant(4, &[])]);
        let allowed = |number, holder: u8| {
            let holder = key(holder);
            grants.allows(&key(number), &name("eva"), Some(&holder))
        };
        assert!(allowed(3, 3) && !allowed(4, 3));
        assert!(allowed(4, 9), "the holder's key is no longer known");
    }

    #[test]
    fn two_keys_can_have_a_name_while_one_replaces_the_other() {
        let grants = Grants::new([grant(1, &["ana"]), grant(2, &["ana"])]);
        let ana = name("ana");
        assert!(grants.allows(&key(1), &ana, Some(&key(2))));
        assert!(grants.allows(&key(2), &ana, Some(&key(1))));
    }

    #[test]
    fn a_list_without_keys_is_empty() {
        assert!(Grants::new([]).is_empty());
        assert!(!Grants::new([grant(1, &[])]).is_empty());
    }

    #[test]
    fn the_narrower_of_two_grants_counts() {
        let mut narrow = grant(1, &["b"]);
        narrow.1.may.publish = false;
        let grants = Grants::new([grant(1, &["a"]), narrow]);
        let grant = grants.get(&key(1)).unwrap();
        assert!(!grant.may.publish && grant.may.receive);
        assert_eq!(grant.names.len(), 2);
    }
}
