//! The access list: the keys that may connect, read at start and again whenever it has changed.
//!
//! A list is read while others write it. So a change is acted on only once two looks in a row have
//! found the same, and an empty list, as a volume that is not mounted leaves it, only after
//! seconds. A list that is gone or cannot be read leaves in force what was read before; it never
//! admits a new key.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::exchange::{Arrival, Inbound};
use super::key_list::{KeyList, Seen, look};
use crate::core::Grants;
use crate::net::KeyError;
use crate::wire::PublicKey;

/// How often the files are looked at: a removed key is out within a second.
const INTERVAL: Duration = Duration::from_millis(250);
/// Looks in a row that must find the same list before it is in force.
const LOOKS: u32 = 2;
/// The same for a list without a key: five seconds.
const LOOKS_EMPTY: u32 = 20;
/// Looks from one complaint about a list that cannot be read to the next: ten seconds.
const LOOKS_COMPLAINT: u32 = 40;

/// The keys in force, for the thread that answers handshakes. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct AuthorizedKeys(Arc<RwLock<Grants>>);

impl AuthorizedKeys {
    /// Whether a peer with this key may connect.
    pub(super) fn holds(&self, key: &PublicKey) -> bool {
        let grants = self.0.read().unwrap_or_else(PoisonError::into_inner);
        grants.get(key).is_some()
    }

    fn replace(&self, grants: Grants) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = grants;
    }
}

/// Who waits for a list to be read: for how many keys there are, or why it was not.
pub(super) type Asked = Sender<Result<usize, String>>;

/// How long the list may take to be read, before who asks is told so.
const PATIENCE: Duration = Duration::from_secs(20);

/// Has the list read at once. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct AccessReload(Sender<Asked>);

impl AccessReload {
    pub(super) fn new(asked: Sender<Asked>) -> Self {
        Self(asked)
    }

    /// Has it read; says how many keys there are.
    ///
    /// # Errors
    /// Why the list from before stays in force.
    pub(super) fn ask(&self) -> Result<usize, String> {
        let (reply, answered) = bounded(1);
        let late = "the access list is not read yet";
        let sent = self.0.send_timeout(reply, PATIENCE);
        sent.map_err(|_| late.to_owned())?;
        answered
            .recv_timeout(PATIENCE)
            .map_err(|_| late.to_owned())?
    }
}

/// The file, or directory of `*.key` files, that says who may do what.
#[derive(Debug)]
pub(super) struct AccessList {
    path: PathBuf,
    list: KeyList,
    /// How the files looked when they were read last, and for how many looks they have since.
    seen: Seen,
    looks: u32,
    /// What was read at `seen`, and is not in force yet.
    pending: Option<Grants>,
    in_force: Grants,
    /// Looks in a row that found no list.
    failures: u32,
    keys: AuthorizedKeys,
}

impl AccessList {
    /// Reads the list for the first time.
    ///
    /// # Errors
    /// The list is not there, or cannot be read as a whole.
    pub(super) fn open(path: &Path) -> Result<(Self, Grants), KeyError> {
        let seen = look(path)?;
        let mut list = KeyList::default();
        warn_of(&list.read(path)?);
        let grants = list.grants();
        let keys = AuthorizedKeys::default();
        keys.replace(grants.clone());
        let authorized = Self {
            path: path.to_owned(),
            list,
            seen,
            looks: 0,
            pending: None,
            in_force: grants.clone(),
            failures: 0,
            keys,
        };
        Ok((authorized, grants))
    }

    /// The keys in force.
    pub(super) fn keys(&self) -> AuthorizedKeys {
        self.keys.clone()
    }

    /// Tells the sequencer of every change, until `stop` is gone.
    pub(super) fn watch(
        mut self,
        stop: &Receiver<()>,
        asked: &Receiver<Asked>,
        inbound: &Sender<Inbound>,
    ) {
        loop {
            let mut waiting = None;
            select! {
                recv(stop) -> _ => return,
                recv(asked) -> reply => waiting = reply.ok(),
                default(INTERVAL) => {}
            }
            let grants = match &waiting {
                Some(_) => self.read_at_once().map(Some),
                None => Ok(self.look_again()),
            };
            let said = match grants {
                Ok(None) => continue,
                Ok(Some(grants)) => {
                    let count = grants.len();
                    // First for new connections, then for those that are there.
                    self.keys.replace(grants.clone());
                    let arrivals = vec![Arrival::Grants(grants)];
                    if inbound.send(Inbound::Arrivals(arrivals)).is_err() {
                        return;
                    }
                    // Not before: a key that connects at this word must be let in.
                    log::info!("{count} keys are authorized now");
                    Ok(count)
                }
                Err(why) => {
                    log::error!("{why}; the keys that were authorized before still are");
                    Err(why)
                }
            };
            if let Some(waiting) = waiting {
                waiting.try_send(said).ok(); // unless it has waited for too long
            }
        }
    }

    /// Reads the list because an operator says that it is as it should be: nothing is waited for.
    fn read_at_once(&mut self) -> Result<Grants, String> {
        let seen = look(&self.path).map_err(|error| error.to_string())?;
        let passed_over = self.list.read(&self.path);
        warn_of(&passed_over.map_err(|error| error.to_string())?);
        let grants = self.list.grants();
        if grants.is_empty() && !self.in_force.is_empty() {
            let path = self.path.display();
            return Err(format!("{path}: there is no key in it"));
        }
        self.seen = seen;
        self.pending = None;
        self.failures = 0;
        self.in_force = grants.clone();
        Ok(grants)
    }

    /// Looks at the list; says what is in force from now on, if that is something else.
    fn look_again(&mut self) -> Option<Grants> {
        match self.read_if_changed() {
            Ok(()) => {
                if self.failures > 0 {
                    log::info!("{}: can be read again", self.path.display());
                    self.failures = 0;
                }
                self.settle()
            }
            Err(error) => {
                if self.failures.is_multiple_of(LOOKS_COMPLAINT) {
                    log::error!("{error}; the keys that were authorized before still are");
                }
                self.failures = self.failures.saturating_add(1);
                None
            }
        }
    }

    fn read_if_changed(&mut self) -> Result<(), KeyError> {
        // Before the files are read: what changes meanwhile is seen the next time.
        let seen = look(&self.path)?;
        if seen == self.seen && self.failures == 0 {
            self.looks = self.looks.saturating_add(1);
            return Ok(());
        }
        let passed_over = self.list.read(&self.path)?;
        self.seen = seen;
        self.looks = 1;
        warn_of(&passed_over);
        let grants = self.list.grants();
        if grants.is_empty() && !self.in_force.is_empty() {
            log::warn!(
                "{}: no key is authorized any more; if that stays so for {} s, it is believed",
                self.path.display(),
                (INTERVAL * LOOKS_EMPTY).as_secs()
            );
        }
        self.pending = Some(grants);
        Ok(())
    }

    /// What was read, once it has stayed for long enough.
    fn settle(&mut self) -> Option<Grants> {
        let needed = match &self.pending {
            Some(grants) if grants.is_empty() => LOOKS_EMPTY,
            _ => LOOKS,
        };
        let grants = (self.looks >= needed).then(|| self.pending.take())??;
        let is_new = grants != self.in_force;
        self.in_force = grants.clone();
        is_new.then_some(grants)
    }
}

/// Nothing that is passed over disables the rest; but its owner may think that it counts.
fn warn_of(passed_over: &[KeyError]) {
    for error in passed_over {
        log::warn!("the list of keys: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::net::generate_keys;

    /// A list with these keys, and its directory.
    fn stage(names: &[&str]) -> (TempDir, AccessList) {
        let directory = TempDir::new().unwrap();
        for name in names {
            generate_keys(directory.path(), name, Vec::new()).unwrap();
        }
        let (authorized, grants) = AccessList::open(directory.path()).unwrap();
        assert_eq!(grants.len(), names.len());
        (directory, authorized)
    }

    #[test]
    fn a_change_counts_once_it_was_the_same_twice() {
        let (directory, mut authorized) = stage(&["ana", "bea"]);
        assert_eq!(authorized.look_again(), None);
        fs::remove_file(directory.path().join("bea.key")).unwrap();
        assert_eq!(authorized.look_again(), None, "others may be writing");
        // It changes once more before it was the same twice.
        generate_keys(directory.path(), "eva", Vec::new()).unwrap();
        assert_eq!(authorized.look_again(), None);
        assert_eq!(authorized.look_again().map(|grants| grants.len()), Some(2));
        assert_eq!(authorized.look_again(), None, "it is known already");
    }

    #[test]
    fn what_is_put_back_in_time_was_never_gone() {
        let (directory, mut authorized) = stage(&["ana"]);
        let ana = directory.path().join("ana.key");
        let text = fs::read(&ana).unwrap();
        fs::remove_file(&ana).unwrap();
        for _ in 0..LOOKS_EMPTY - 1 {
            assert_eq!(authorized.look_again(), None, "an empty list is doubted");
        }
        fs::write(&ana, text).unwrap();
        for _ in 0..2 * LOOKS_EMPTY {
            assert_eq!(authorized.look_again(), None);
        }
        fs::remove_file(&ana).unwrap();
        let news = (0..LOOKS_EMPTY).find_map(|_| authorized.look_again());
        assert_eq!(news.map(|grants| grants.len()), Some(0));
    }

    #[test]
    fn a_list_that_is_gone_leaves_the_keys_in_force() {
        let (directory, mut authorized) = stage(&["ana"]);
        let elsewhere = directory.path().with_extension("away");
        fs::rename(directory.path(), &elsewhere).unwrap();
        for _ in 0..2 * LOOKS_EMPTY {
            assert_eq!(authorized.look_again(), None);
        }
        assert!(authorized.failures > 0, "it is complained about");
        fs::rename(&elsewhere, directory.path()).unwrap();
        assert_eq!(authorized.look_again(), None);
        assert_eq!(authorized.failures, 0);
    }
}
