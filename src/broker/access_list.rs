//! The access list: the keys that may connect, read at start and again whenever it changes.
//!
//! A list that cannot be read leaves in force what was read before; it never admits a new key.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::exchange::Inbound;
use crate::core::Grants;
use crate::net::KeyError;
use crate::net::key_file::{self, KeyFile};
use crate::wire::PublicKey;

/// How often the files are looked at: a removed key is out within a second.
const EVERY: Duration = Duration::from_millis(400);
/// The extension of public key files, as pyzmq has it.
const PUBLIC: &str = "key";

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

/// The file, or directory of `*.key` files, that says who may do what.
#[derive(Debug)]
pub(super) struct AccessList {
    path: PathBuf,
    seen: Vec<Seen>,
    keys: AuthorizedKeys,
}

/// How a file looked: any change of it shows here.
type Seen = (PathBuf, u64, u64, i64, i64);

impl AccessList {
    /// Reads the list for the first time.
    pub(super) fn open(path: &Path) -> Result<(Self, Grants), KeyError> {
        let seen = look(path).map_err(|error| KeyError::file(path, &error))?;
        let grants = read(path)?;
        let keys = AuthorizedKeys::default();
        keys.replace(grants.clone());
        let list = Self {
            path: path.to_owned(),
            seen,
            keys,
        };
        Ok((list, grants))
    }

    /// The keys in force.
    pub(super) fn keys(&self) -> AuthorizedKeys {
        self.keys.clone()
    }

    /// Tells the sequencer of every change, until `stop` is gone.
    pub(super) fn watch(mut self, stop: &Receiver<()>, inbound: &Sender<Inbound>) {
        while let Err(RecvTimeoutError::Timeout) = stop.recv_timeout(EVERY) {
            // Before the files are read: what changes meanwhile is seen the next time.
            let Ok(seen) = look(&self.path) else {
                continue;
            };
            if seen == self.seen {
                continue;
            }
            self.seen = seen;
            match read(&self.path) {
                Ok(grants) => {
                    log::info!("{} keys are authorized now", grants.len());
                    // First for new connections, then for those that are there.
                    self.keys.replace(grants.clone());
                    if inbound.send(Inbound::Grants(grants)).is_err() {
                        return;
                    }
                }
                Err(error) => {
                    log::error!("{error}; the keys that were authorized before still are");
                }
            }
        }
    }
}

/// How the files look now, without reading them.
fn look(path: &Path) -> std::io::Result<Vec<Seen>> {
    let mut seen = Vec::new();
    for file in files(path)? {
        let data = fs::metadata(&file)?;
        let changed = data.ctime() ^ (data.ctime_nsec() << 32);
        seen.push((file, data.ino(), data.len(), data.mtime_nsec(), changed));
    }
    Ok(seen)
}

fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == PUBLIC)
        {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<Grants, KeyError> {
    let single = !path.is_dir();
    let mut keys = Vec::new();
    for file in files(path).map_err(|error| KeyError::file(path, &error))? {
        let bytes = fs::read(&file).map_err(|error| KeyError::file(&file, &error))?;
        match KeyFile::decode(&bytes) {
            Ok(key) => keys.push(key),
            // A single file may also be a list of keys.
            Err(_) if single => {
                let list = key_file::decode_list(&bytes);
                keys.extend(list.map_err(|bad| KeyError::file(&file, &bad))?);
            }
            Err(bad) => return Err(KeyError::file(&file, &bad)),
        }
    }
    Ok(Grants::new(keys.into_iter().map(KeyFile::into_grant)))
}
