//! Key files on disk: made, and read with a look at who else could read them.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, setrlimit};

use super::Error;
use super::sockets::key_pair;
use crate::wire::key_file::KeyFile;
use crate::wire::{Name, PublicKey, SecretKey};

/// Nobody but the owner.
const SECRET_MODE: u32 = 0o600;
/// The rights of all others.
const OTHERS: u32 = 0o077;

/// Makes a pair of keys: `DIR/NAME.key`, which may be given away, and `DIR/NAME.key_secret`,
/// which may not. With `names`, they are what the key is good for. Nothing is overwritten.
///
/// # Errors
/// What is in the way, a file that is there already above all.
pub fn generate_keys(
    directory: &Path,
    file: &str,
    names: Vec<Name>,
) -> Result<[PathBuf; 2], Error> {
    let (public, secret) = key_pair()?;
    let mut contents = KeyFile::new(public);
    contents.names = names;
    fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    let open = directory.join(format!("{file}.key"));
    let hidden = directory.join(format!("{file}.key_secret"));
    create(&open, 0o644, &contents.encode())?;
    contents.secret = Some(secret);
    create(&hidden, SECRET_MODE, &contents.encode())?;
    Ok([open, hidden])
}

/// Reads both keys of a secret key file that nobody but its owner can read.
///
/// # Errors
/// What is wrong with it.
pub fn read_secret_key(path: &Path) -> Result<(PublicKey, SecretKey), Error> {
    let mut file = File::open(path).map_err(|error| failed(path, &error))?;
    // Of the file that is open: another could take its place between two looks by name.
    let mode = file
        .metadata()
        .map_err(|error| failed(path, &error))?
        .mode();
    if mode & OTHERS != 0 {
        let why = format!(
            "others may read this secret key (mode {:o}): chmod 600 it, or make a new one",
            mode & 0o777
        );
        return Err(Error::Keys(path.to_owned(), why));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .map_err(|error| failed(path, &error))?;
    let contents = decode(path, &bytes)?;
    let missing = || Error::Keys(path.to_owned(), "no secret-key".to_owned());
    Ok((contents.public, contents.secret.ok_or_else(missing)?))
}

/// Reads the public key of a key file.
///
/// # Errors
/// What is wrong with it.
pub fn read_public_key(path: &Path) -> Result<PublicKey, Error> {
    let bytes = fs::read(path).map_err(|error| failed(path, &error))?;
    Ok(decode(path, &bytes)?.public)
}

/// Lets no memory of this process, and so no key, be written to a file when it crashes.
///
/// # Errors
/// When the system does not allow that.
pub fn forbid_core_dumps() -> Result<(), Error> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).map_err(|error| Error::Thread(error.into()))
}

fn decode(path: &Path, bytes: &[u8]) -> Result<KeyFile, Error> {
    KeyFile::decode(bytes).map_err(|bad| Error::Keys(path.to_owned(), bad.to_string()))
}

fn create(path: &Path, mode: u32, text: &str) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::Keys(path.to_owned(), error.to_string())
}
