//! The list of authorized keys as it lies on disk: a file, or a directory of `*.key` files.
//!
//! In a directory, what is no key file is passed over and named: an editor's lock, a backup, a
//! directory, a link that leads nowhere. None of them keeps the others from being read. A file
//! that was a key file and cannot be read now keeps what it said; to take a key off, remove it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::core::{Grant, Grants};
use crate::net::KeyError;
use crate::net::key_file::{self, KeyFile};
use crate::wire::PublicKey;

/// The extension of public key files, as pyzmq has it.
const PUBLIC: &str = "key";

/// How the files of a list looked: any change of one shows here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen(Vec<(PathBuf, u64, u64, i64, i64)>);

/// What the files of a list say.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyList(BTreeMap<PathBuf, Vec<(PublicKey, Grant)>>);

impl KeyList {
    /// What each key is good for.
    pub(super) fn grants(&self) -> Grants {
        Grants::new(self.0.values().flatten().cloned())
    }

    /// Reads the list anew, and says what of it could not be read.
    ///
    /// # Errors
    /// The list as a whole cannot be read; what was read before stays as it is.
    pub(super) fn read(&mut self, path: &Path) -> Result<Vec<KeyError>, KeyError> {
        if !is_directory(path)? {
            let keys = read_file(path, true)?;
            self.0 = BTreeMap::from([(path.to_owned(), keys)]);
            return Ok(Vec::new());
        }
        let mut passed_over = Vec::new();
        let mut read = BTreeMap::new();
        for file in files(path).map_err(|error| KeyError::file(path, &error))? {
            match read_file(&file, false) {
                Ok(keys) => {
                    read.insert(file, keys);
                }
                Err(error) => {
                    if let Some(before) = self.0.remove(&file) {
                        read.insert(file, before);
                    }
                    passed_over.push(error);
                }
            }
        }
        self.0 = read;
        Ok(passed_over)
    }
}

/// How the files look now, without reading them.
///
/// # Errors
/// The list is not there, or cannot be looked at.
pub(super) fn look(path: &Path) -> Result<Seen, KeyError> {
    let files = if is_directory(path)? {
        files(path).map_err(|error| KeyError::file(path, &error))?
    } else {
        vec![path.to_owned()]
    };
    let seen = files.into_iter().filter_map(|file| {
        // A link that leads nowhere is seen as the link it is; what is gone by now is not there.
        let data = fs::metadata(&file).or_else(|_| fs::symlink_metadata(&file));
        let data = data.ok()?;
        let changed = data.ctime() ^ (data.ctime_nsec() << 32);
        Some((file, data.ino(), data.len(), data.mtime_nsec(), changed))
    });
    Ok(Seen(seen.collect()))
}

fn is_directory(path: &Path) -> Result<bool, KeyError> {
    let data = fs::metadata(path).map_err(|error| KeyError::file(path, &error))?;
    Ok(data.is_dir())
}

fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let file = entry?.path();
        if file.extension().is_some_and(|end| end == PUBLIC) {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// The keys of a file, of which there is one; a file that `may_be_list` can also be a list.
fn read_file(file: &Path, may_be_list: bool) -> Result<Vec<(PublicKey, Grant)>, KeyError> {
    let failed = |why: &dyn std::fmt::Display| KeyError::file(file, why);
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    if !may_be_list && name.starts_with('.') {
        return Err(failed(&"a hidden file, passed over"));
    }
    // Nothing but a file is opened: a named pipe would wait for its writer.
    if !fs::metadata(file)
        .map_err(|error| failed(&error))?
        .is_file()
    {
        return Err(failed(&"no file, passed over"));
    }
    let bytes = fs::read(file).map_err(|error| failed(&error))?;
    let keys = match KeyFile::decode(&bytes) {
        Ok(key) => vec![key],
        Err(_) if may_be_list => key_file::decode_list(&bytes).map_err(|bad| failed(&bad))?,
        Err(bad) => return Err(failed(&bad)),
    };
    Ok(keys.into_iter().map(KeyFile::into_grant).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;
    use crate::net::generate_keys;

    /// A directory with keys of these names.
    fn stage(names: &[&str]) -> TempDir {
        let directory = TempDir::new().unwrap();
        for name in names {
            generate_keys(directory.path(), name, Vec::new()).unwrap();
        }
        directory
    }

    #[test]
    fn what_is_no_key_file_is_named_and_keeps_none_from_being_read() {
        let directory = stage(&["ana", "bea"]);
        let at = |name: &str| directory.path().join(name);
        fs::write(at("._ana.key"), [0, 5, 0x16, 7, 0xFF]).unwrap();
        fs::write(at(".ana.key.swp"), "b0VIM").unwrap();
        fs::copy(at("ana.key"), at("ana.key~")).unwrap();
        symlink("ana@laptop.4711", at(".#ana.key")).unwrap();
        symlink("nowhere", at("gone.key")).unwrap();
        fs::create_dir(at("old.key")).unwrap();
        fs::write(at("eva.key"), "#   ZeroMQ CURVE public").unwrap();
        let mut list = KeyList::default();
        let passed_over = list.read(directory.path()).unwrap();
        assert_eq!(list.grants().len(), 2);
        let mut named: Vec<_> = passed_over.iter().map(ToString::to_string).collect();
        named.sort();
        let files = [".#ana.key", "._ana.key", "eva.key", "gone.key", "old.key"];
        assert_eq!(named.len(), files.len(), "{named:?}");
        for (said, file) in named.iter().zip(files) {
            assert!(said.contains(file), "{said}");
        }
    }

    #[test]
    fn a_file_that_is_half_written_keeps_what_it_said_and_one_that_is_gone_does_not() {
        let directory = stage(&["ana", "bea"]);
        let ana = directory.path().join("ana.key");
        let mut list = KeyList::default();
        assert!(list.read(directory.path()).unwrap().is_empty());
        let whole = fs::read(&ana).unwrap();
        fs::write(&ana, &whole[..20]).unwrap();
        assert_eq!(list.read(directory.path()).unwrap().len(), 1);
        assert_eq!(list.grants().len(), 2);
        fs::remove_file(&ana).unwrap();
        assert!(list.read(directory.path()).unwrap().is_empty());
        assert_eq!(list.grants().len(), 1);
    }

    #[test]
    fn marks_and_line_ends_of_other_systems_are_read() {
        let directory = stage(&["ana"]);
        let ana = directory.path().join("ana.key");
        let text = fs::read_to_string(&ana).unwrap();
        for other in [
            text.replace('\n', "\r\n"),
            format!("\u{FEFF}{text}"),
            text.trim_end().to_owned(),
            text.replace("    ", "\t"),
        ] {
            fs::write(&ana, &other).unwrap();
            for path in [directory.path(), &ana] {
                let mut list = KeyList::default();
                assert!(list.read(path).unwrap().is_empty(), "{other:?}");
                assert_eq!(list.grants().len(), 1);
            }
        }
    }
}
