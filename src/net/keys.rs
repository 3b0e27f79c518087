//! Key files on disk: made, and read with a check of who else could read them.

use std::fmt;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, geteuid, setrlimit};
use tempfile::NamedTempFile;

use super::error::SocketError;
use super::key_file::KeyFile;
use crate::wire::{Name, PublicKey, SecretKey};

/// Access for the owner alone.
const SECRET_MODE: u32 = 0o600;
/// Of root's files, those of a group may be read by it: so orchestrators mount secrets.
const GROUP_READS: u32 = 0o040;
const GROUP: u32 = 0o070;
const OTHERS: u32 = 0o007;
const ROOT: u32 = 0;
/// No key file is longer; what is longer is another file.
const LARGEST: u64 = 64 << 10;

/// Why keys cannot be read or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A file does not hold what it should, or cannot be read or written.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// libzmq makes no keys.
    #[error(transparent)]
    Socket(#[from] SocketError),
}

/// The keys of an encrypted connection: the client's own, and the broker's.
#[derive(Clone, Debug)]
pub struct Keys {
    /// What the broker knows the client by.
    pub public: PublicKey,
    /// What proves that the client is the key's owner.
    pub secret: SecretKey,
    /// What the broker must prove to own.
    pub server: PublicKey,
}

impl Keys {
    /// Reads the client's own secret key file, which no other user may be able to read, and the
    /// broker's public one.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn read(own: &Path, server: &Path) -> Result<Self, KeyError> {
        let server = read_public_key(server)?;
        let (public, secret) = read_secret_key(own)?;
        Ok(Self {
            public,
            secret,
            server,
        })
    }
}

/// Makes a pair of keys: `DIR/NAME.key`, which may be given away, and `DIR/NAME.key_secret`,
/// which may not. With `names`, they are what the key is good for. Nothing is overwritten, and
/// where one of the files cannot be made, the other is not either.
///
/// # Errors
/// What is in the way, a file that is there already above all.
pub fn generate_keys(
    directory: &Path,
    file: &str,
    names: Vec<Name>,
) -> Result<[PathBuf; 2], KeyError> {
    let pair = zmq::CurveKeyPair::new().map_err(SocketError::from)?;
    let mut contents = KeyFile::new(PublicKey::new(pair.public_key));
    contents.names = names;
    let failed = |error: io::Error| KeyError::file(directory, &error);
    fs::create_dir_all(directory).map_err(failed)?;
    let public_path = directory.join(format!("{file}.key"));
    let secret_path = directory.join(format!("{file}.key_secret"));
    // Both are written before either has its name, so that a full disk leaves neither.
    let public = written(directory, 0o644, &contents.encode()).map_err(failed)?;
    contents.secret = Some(SecretKey::new(pair.secret_key));
    let secret = written(directory, SECRET_MODE, &contents.encode()).map_err(failed)?;
    named(secret, &secret_path)?;
    if let Err(error) = named(public, &public_path) {
        fs::remove_file(&secret_path).map_err(|error| KeyError::file(&secret_path, &error))?;
        return Err(error);
    }
    // The names are to survive a power cut as the contents do.
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed)?;
    Ok([public_path, secret_path])
}

/// Reads both keys of a secret key file that is secret: the file that is opened belongs to this
/// process's user or to root, all others can do nothing with it, and its group can at most read
/// it, if it is root's.
///
/// # Errors
/// What is wrong with it, and what to type.
pub fn read_secret_key(path: &Path) -> Result<(PublicKey, SecretKey), KeyError> {
    let (contents, owner, mode) = read(path)?;
    if let Some(why) = exposed(path, owner, mode, geteuid().as_raw()) {
        return Err(KeyError::file(path, &why));
    }
    let missing = || KeyError::file(path, &"no secret-key");
    Ok((contents.public, contents.secret.ok_or_else(missing)?))
}

/// Why a file of this owner and mode is no place for a secret of `user`, and what to type.
fn exposed(path: &Path, owner: u32, mode: u32, user: u32) -> Option<String> {
    let path = path.display();
    let permissions = mode & 0o777;
    if owner != user && owner != ROOT {
        return Some(format!(
            "this secret key belongs to user {owner}, who can change it: chown {user} {path}"
        ));
    }
    if mode & OTHERS != 0 {
        return Some(format!(
            "others may read this secret key or change it (mode {permissions:o}): chmod o= {path}"
        ));
    }
    if owner == ROOT && mode & GROUP & !GROUP_READS != 0 {
        return Some(format!(
            "the group of this secret key may change it (mode {permissions:o}): chmod g-wx {path}"
        ));
    }
    if owner != ROOT && mode & GROUP != 0 {
        return Some(format!(
            "others may read this secret key, those of its group (mode {permissions:o}), which is \
             only for files of root: chmod g= {path}"
        ));
    }
    None
}

/// Reads the public key of a key file.
///
/// # Errors
/// What is wrong with it.
pub fn read_public_key(path: &Path) -> Result<PublicKey, KeyError> {
    Ok(read(path)?.0.public)
}

/// Keeps the memory of this process, and so its keys, out of core dumps.
///
/// # Errors
/// If the system does not allow that.
pub fn forbid_core_dumps() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    Ok(setrlimit(Resource::Core, none)?)
}

/// A key file, its owner and its access bits.
fn read(path: &Path) -> Result<(KeyFile, u32, u32), KeyError> {
    let failed = |error: io::Error| KeyError::file(path, &error);
    let file = File::open(path).map_err(failed)?;
    // Of the file that is open: another could take its place between two looks by name.
    let data = file.metadata().map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes).map_err(failed)?;
    let contents = KeyFile::decode(&bytes).map_err(|bad| KeyError::file(path, &bad))?;
    Ok((contents, data.uid(), data.mode()))
}

/// A file with this text that has no lasting name yet, and is gone if it gets none.
fn written(directory: &Path, mode: u32, text: &str) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix(".orden-key-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Gives a file its name, which must not be taken.
fn named(file: NamedTempFile, path: &Path) -> Result<(), KeyError> {
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Err(KeyError::file(
            path,
            &"is there already, and nothing is overwritten: move it away, or use another DIR",
        )),
        Err(failed) => Err(KeyError::file(path, &failed.error)),
    }
}

impl KeyError {
    /// What is wrong with a file.
    pub(crate) fn file(path: &Path, why: &dyn fmt::Display) -> Self {
        Self::File {
            path: path.to_owned(),
            why: why.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_see_a_secret() {
        let is_exposed = |owner, mode| exposed(Path::new("key"), owner, mode, 1000);
        for (owner, mode) in [
            (1000, 0o600),
            (1000, 0o400),
            (1000, 0o100_600),
            (0, 0o400),
            (0, 0o440),
            (0, 0o640),
        ] {
            assert_eq!(is_exposed(owner, mode), None, "{owner} {mode:o}");
        }
        for (owner, mode, typed) in [
            (1001, 0o600, "chown 1000 key"),
            (1000, 0o604, "chmod o= key"),
            (0, 0o442, "chmod o= key"),
            (1000, 0o640, "chmod g= key"),
            (0, 0o460, "chmod g-wx key"),
        ] {
            let why = is_exposed(owner, mode).unwrap();
            assert!(why.ends_with(typed), "{why}");
        }
    }

    #[test]
    fn a_pair_is_made_whole_or_not_at_all() {
        for taken in ["broker.key", "broker.key_secret"] {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join(taken), "mine").unwrap();
            let error = generate_keys(directory.path(), "broker", Vec::new()).unwrap_err();
            assert!(error.to_string().contains(taken), "{error}");
            let left = fs::read_dir(directory.path()).unwrap();
            let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(left, [taken]);
            assert_eq!(fs::read(directory.path().join(taken)).unwrap(), b"mine");
        }
    }
}
