//! The real medium: a directory of the file system, its owner's alone.

use std::fs::{self, DirBuilder, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::medium::{File, Medium};

/// The file whose lock says that a broker has the directory.
pub(super) const LOCK: &str = "LOCK";

/// How long a broker that is ending is given to let go of the directory.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two attempts to take it.
const PAUSE: Duration = Duration::from_millis(20);

/// From when on time is counted.
#[expect(clippy::disallowed_methods, reason = "the medium's own clock")]
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A directory of the file system.
#[derive(Debug)]
pub(super) struct Disk {
    home: Arc<Home>,
}

/// Where the files lie.
#[derive(Debug)]
struct Home {
    path: PathBuf,
    /// `None` for those who only look at it.
    owned: Option<Owned>,
}

/// The directory of a broker.
#[derive(Debug)]
struct Owned {
    /// Open all the while, so that it can be synced when no descriptor is left.
    directory: fs::File,
    /// Given up for a file that the log needs when no descriptor is left: peers may have taken
    /// all of them with connections.
    spare: Mutex<Option<fs::File>>,
}

impl Disk {
    /// Takes a directory, which is created if it is not there.
    pub(super) fn create(directory: &Path) -> io::Result<Self> {
        let missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
        let made: Vec<_> = directory.ancestors().take_while(missing).collect();
        if !made.is_empty() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)?;
        }
        // The directories' own names must survive a power cut as the files' do.
        for path in made {
            let parent = path.parent().filter(|path| !path.as_os_str().is_empty());
            fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        let handle = fs::File::open(directory)?;
        let owned = Owned {
            spare: Mutex::new(Some(handle.try_clone()?)),
            directory: handle,
        };
        Ok(Self::at(directory, Some(owned)))
    }

    /// Takes a directory as it is, to look at.
    pub(super) fn existing(directory: &Path) -> Self {
        Self::at(directory, None)
    }

    fn at(directory: &Path, owned: Option<Owned>) -> Self {
        let path = directory.to_owned();
        Self {
            home: Arc::new(Home { path, owned }),
        }
    }

    fn open_with(&self, options: &OpenOptions, name: &str) -> io::Result<Arc<dyn File>> {
        let path = self.home.path.join(name);
        let file = self.home.with_spare(|| options.open(&path))?;
        Ok(Arc::new(DiskFile {
            file,
            home: Arc::clone(&self.home),
        }))
    }
}

impl Home {
    /// Opens something, if need be with the descriptor that was kept for it.
    fn with_spare(&self, open: impl Fn() -> io::Result<fs::File>) -> io::Result<fs::File> {
        let opened = open();
        let Some(owned) = &self.owned else {
            return opened;
        };
        // Nothing in here panics half way through a change.
        let mut spare = owned.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = match opened {
            Err(error) if error.raw_os_error() == Some(Errno::MFILE.raw_os_error()) => {
                drop(spare.take());
                open()
            }
            opened => opened,
        };
        if spare.is_none() {
            // As soon as there is one again.
            *spare = owned.directory.try_clone().ok();
        }
        opened
    }

    /// Whether the directory is where it was, and a file of it not removed. If it is not, what
    /// was written is on disk, and no broker will find it.
    fn check(&self, file: &fs::File) -> io::Result<()> {
        let Some(owned) = &self.owned else {
            return Ok(());
        };
        let own = owned.directory.metadata()?;
        let same = |there: fs::Metadata| (there.dev(), there.ino()) == (own.dev(), own.ino());
        let path = self.path.display();
        let taken_away = if !fs::metadata(&self.path).is_ok_and(same) {
            format!("{path} is no longer the directory that the log was opened in")
        } else if file.metadata()?.nlink() == 0 {
            format!("{path} is no longer where it lies: it was removed")
        } else {
            return Ok(());
        };
        Err(io::Error::other(taken_away))
    }
}

impl Medium for Disk {
    fn place(&self) -> &Path {
        &self.home.path
    }

    #[expect(clippy::disallowed_methods, reason = "before anything is served")]
    fn lock(&self) -> io::Result<Option<Box<dyn Send>>> {
        let mut options = OpenOptions::new();
        private(options.write(true).create(true));
        let file = options.open(self.home.path.join(LOCK))?;
        // A lock file that was removed as left over is another file when it is made again; the
        // directory is the same.
        let directory = fs::File::open(&self.home.path)?;
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock().and_then(|()| try_lock(&directory)) {
                Ok(()) => return Ok(Some(Box::new((file, directory)))),
                // A killed broker has the lock until the system has cleared it away.
                Err(TryLockError::WouldBlock) if waited < PATIENCE => {
                    if waited.is_zero() {
                        let path = self.home.path.display();
                        log::info!("{path}: waiting for another broker to let go of it");
                    }
                    std::thread::sleep(PAUSE);
                    waited += PAUSE;
                }
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.home.path)? {
            // A name that is not UTF-8 is none of ours.
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut options = OpenOptions::new();
        private(options.read(true).write(true).create(true).truncate(true));
        self.open_with(&options, name)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.open_with(OpenOptions::new().read(true).write(true), name)
    }

    fn open_to_read(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.open_with(OpenOptions::new().read(true), name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.home.path.join(from), self.home.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.home.path.join(name))
    }

    fn uptime(&self) -> Duration {
        STARTED.elapsed()
    }

    fn free_bytes(&self) -> Option<u64> {
        let system = rustix::fs::statvfs(&self.home.path).ok()?;
        Some(system.f_bavail.saturating_mul(system.f_frsize))
    }

    fn sync_directory(&self) -> io::Result<()> {
        match &self.home.owned {
            Some(owned) => owned.directory.sync_all(),
            None => fs::File::open(&self.home.path)?.sync_all(),
        }
    }
}

/// A file in a directory.
struct DiskFile {
    file: fs::File,
    home: Arc<Home>,
}

/// Locks a directory, where its file system can.
fn try_lock(directory: &fs::File) -> Result<(), TryLockError> {
    match directory.try_lock() {
        Err(TryLockError::Error(_)) => Ok(()),
        locked => locked,
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

impl File for DiskFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.file.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()?;
        self.home.check(&self.file)
    }
}
