//! Who may do what: public keys, the names that belong to them, and what their holders may do.

use std::collections::{HashMap, HashSet};

use crate::wire::key_file::{Actions, KeyFile};
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

/// What one key is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The names that belong to it; none: it may use any that belong to no key.
    pub names: HashSet<Name>,
    /// What its holder may do.
    pub may: Actions,
}

impl Grants {
    /// What key files say. A key that stands in two of them has the names of both, and may do
    /// what both allow. A name can belong to two keys: that is how a key is exchanged.
    #[must_use]
    pub fn new(files: impl IntoIterator<Item = KeyFile>) -> Self {
        let mut grants = Self::default();
        for file in files {
            grants.owned.extend(file.names.iter().cloned());
            let grant = grants.by_key.entry(file.public).or_insert_with(|| Grant {
                names: HashSet::new(),
                may: file.may,
            });
            grant.names.extend(file.names);
            grant.may = both(grant.may, file.may);
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

    fn file(number: u8, names: &[&str]) -> KeyFile {
        KeyFile {
            names: names.iter().map(|text| name(text)).collect(),
            ..KeyFile::new(key(number))
        }
    }

    #[test]
    fn a_name_that_belongs_to_a_key_is_used_by_no_other() {
        let grants = Grants::new([file(1, &["ana"]), file(2, &["bea"]), file(3, &[])]);
        let allowed = |number, text| grants.allows(&key(number), &name(text), None);
        assert!(allowed(1, "ana") && allowed(2, "bea") && allowed(3, "eva"));
        assert!(!allowed(1, "bea") && !allowed(2, "eva") && !allowed(3, "ana"));
        assert!(!allowed(9, "ana") && !allowed(9, "eva"));
    }

    #[test]
    fn a_name_of_nobody_belongs_to_who_came_first() {
        let grants = Grants::new([file(3, &[]), file(4, &[])]);
        let allowed = |number, holder: u8| {
            let holder = key(holder);
            grants.allows(&key(number), &name("eva"), Some(&holder))
        };
        assert!(allowed(3, 3) && !allowed(4, 3));
        assert!(allowed(4, 9), "the holder's key is no longer known");
    }

    #[test]
    fn two_keys_can_have_a_name_while_one_replaces_the_other() {
        let grants = Grants::new([file(1, &["ana"]), file(2, &["ana"])]);
        let ana = name("ana");
        assert!(grants.allows(&key(1), &ana, Some(&key(2))));
        assert!(grants.allows(&key(2), &ana, Some(&key(1))));
    }

    #[test]
    fn the_narrower_of_two_files_counts() {
        let narrow = KeyFile {
            may: Actions {
                publish: false,
                ..Actions::default()
            },
            ..file(1, &["b"])
        };
        let grants = Grants::new([file(1, &["a"]), narrow]);
        let grant = grants.get(&key(1)).unwrap();
        assert!(!grant.may.publish && grant.may.receive);
        assert_eq!(grant.names.len(), 2);
    }
}
