//! The keys of an encrypted connection, from the files that `orden-broker keygen` and pyzmq make.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::wire::key_file::KeyFile;
use crate::wire::{PublicKey, SecretKey};

/// The rights of all but a file's owner.
const OTHERS: u32 = 0o077;
/// No key file is longer; what is longer is another file.
const LARGEST: u64 = 64 << 10;

/// Who we are, and who the broker has to be.
#[derive(Clone, Debug)]
pub struct Keys {
    /// What the broker knows us by.
    pub public: PublicKey,
    /// What proves that it is us.
    pub secret: SecretKey,
    /// What the broker proves to be.
    pub server: PublicKey,
}

/// A file that does not hold the key that it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct BadKeys {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl Keys {
    /// Reads our own secret key file, which nobody else may be able to read, and the broker's
    /// public one.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn read(own: &Path, server: &Path) -> Result<Self, BadKeys> {
        let (server, _) = read(server)?;
        let (ours, mode) = read(own)?;
        let wrong = |why: String| BadKeys {
            path: own.to_owned(),
            why,
        };
        if mode & OTHERS != 0 {
            let mode = mode & 0o777;
            return Err(wrong(format!(
                "others may read this secret key (mode {mode:o}): chmod 600 it, or make a new one"
            )));
        }
        Ok(Self {
            public: ours.public,
            secret: ours
                .secret
                .ok_or_else(|| wrong("no secret-key".to_owned()))?,
            server: server.public,
        })
    }
}

/// A key file, and who may do what with it.
fn read(path: &Path) -> Result<(KeyFile, u32), BadKeys> {
    let wrong = |why: String| BadKeys {
        path: path.to_owned(),
        why,
    };
    let failed = |error: std::io::Error| wrong(error.to_string());
    let file = File::open(path).map_err(failed)?;
    // Of the file that is open: another could take its place between two looks by name.
    let mode = file.metadata().map_err(failed)?.mode();
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes).map_err(failed)?;
    let keys = KeyFile::decode(&bytes).map_err(|bad| wrong(bad.to_string()))?;
    Ok((keys, mode))
}
