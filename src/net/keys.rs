//! Key files on disk: made, and read with a check of who else could read them.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, setrlimit};

use super::error::SocketError;
use super::key_file::KeyFile;
use crate::wire::{Name, PublicKey, SecretKey};

/// Access for the owner alone.
const SECRET_MODE: u32 = 0o600;
/// The access bits of all but a file's owner.
const OTHERS: u32 = 0o077;
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
/// which may not. With `names`, they are what the key is good for. Nothing is overwritten.
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
    fs::create_dir_all(directory).map_err(|error| KeyError::file(directory, &error))?;
    let open = directory.join(format!("{file}.key"));
    let hidden = directory.join(format!("{file}.key_secret"));
    create(&open, 0o644, &contents.encode())?;
    contents.secret = Some(SecretKey::new(pair.secret_key));
    create(&hidden, SECRET_MODE, &contents.encode())?;
    Ok([open, hidden])
}

/// Reads both keys of a secret key file that only its owner can read.
///
/// # Errors
/// What is wrong with it.
pub fn read_secret_key(path: &Path) -> Result<(PublicKey, SecretKey), KeyError> {
    let (contents, mode) = read(path)?;
    if mode & OTHERS != 0 {
        let why = format!(
            "others may read this secret key (mode {:o}): chmod 600 it, or make a new one",
            mode & 0o777
        );
        return Err(KeyError::file(path, &why));
    }
    let missing = || KeyError::file(path, &"no secret-key");
    Ok((contents.public, contents.secret.ok_or_else(missing)?))
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

/// A key file, and its access bits.
fn read(path: &Path) -> Result<(KeyFile, u32), KeyError> {
    let failed = |error: io::Error| KeyError::file(path, &error);
    let file = File::open(path).map_err(failed)?;
    // Of the file that is open: another could take its place between two looks by name.
    let mode = file.metadata().map_err(failed)?.mode();
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes).map_err(failed)?;
    let contents = KeyFile::decode(&bytes).map_err(|bad| KeyError::file(path, &bad))?;
    Ok((contents, mode))
}

fn create(path: &Path, mode: u32, text: &str) -> Result<(), KeyError> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| KeyError::file(path, &error))
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

/// The version of libzmq that this program has in it.
pub fn libzmq_version() -> (i32, i32, i32) {
    zmq::version()
}
