//! The data directory: one process at a time, readable by its own user only.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// What a Unix socket's address holds at most, with the byte that ends it (`sun_path` on Linux; less elsewhere).
const MOST_SOCKET_BYTES: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Where an installation keeps what is its own.
#[derive(Clone, Debug)]
pub(crate) struct DataDirectory {
    path: PathBuf,
}

/// Proof that no other process works on the directory. Let go when dropped, also by a crash.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl DataDirectory {
    /// Where it is when nobody names another place.
    pub(crate) const USUAL: &'static str = "./habeas-data";

    pub(crate) const fn at(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn exists(&self) -> bool {
        self.path.is_dir()
    }

    /// Makes the directory if it is not there.
    pub(crate) fn prepare(&self) -> anyhow::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)
            .with_context(|| format!("cannot make the data directory {}", self.path.display()))
    }

    /// Takes the directory for this process.
    ///
    /// # Errors
    /// If another process has it.
    pub(crate) fn lock(&self) -> anyhow::Result<Lock> {
        let path = self.path.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut owner = String::new();
                // Only for the message: the lock itself is what counts.
                drop(file.read_to_string(&mut owner));
                let owner = owner
                    .trim()
                    .parse()
                    .map_or("another process".to_owned(), |id: u32| format!("process {id}"));
                bail!(
                    "the data directory {} is in use by {owner}; stop it first, or talk to it through its socket or \
                     with --server (nothing was changed)",
                    self.path.display()
                );
            }
            Err(error) => {
                return Err(anyhow::Error::from(error).context(format!(
                    "cannot lock {}; is it on a file system without locks?",
                    path.display()
                )));
            }
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Lock { file })
    }

    /// Where the server's socket is. The second value keeps the way to it open.
    ///
    /// # Errors
    /// If the path is too long for a socket and there is no way around that.
    pub(crate) fn socket(&self) -> anyhow::Result<SocketPath> {
        let path = self.path.join("habeas.sock");
        if path.as_os_str().len() <= MOST_SOCKET_BYTES {
            return Ok(SocketPath { usable: path, _way: None });
        }
        // The kernel limits the length of the address, not of the path behind it.
        let way = File::open(&self.path)?;
        let usable =
            PathBuf::from(format!("/proc/self/fd/{}/habeas.sock", std::os::fd::AsRawFd::as_raw_fd(&way)));
        if !Path::new("/proc/self/fd").is_dir() {
            bail!("the path {} is too long for a socket", path.display());
        }
        Ok(SocketPath { usable, _way: Some(way) })
    }
}

/// The path of the server's socket, short enough for the operating system.
#[derive(Debug)]
pub(crate) struct SocketPath {
    usable: PathBuf,
    _way: Option<File>,
}

impl SocketPath {
    /// The path to bind or connect to, as long as this value lives.
    pub(crate) fn path(&self) -> &Path {
        &self.usable
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // So that nobody reads the id of a process that is gone. The lock ends with the file.
        drop(self.file.set_len(0));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_directory_is_private_and_taken_once() {
        let place = tempfile::tempdir().unwrap();
        let directory = DataDirectory::at(place.path().join("a/b"));
        assert!(!directory.exists());
        directory.prepare().unwrap();
        let mode = std::fs::metadata(directory.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let lock = directory.lock().unwrap();
        let refusal = directory.lock().unwrap_err().to_string();
        assert!(refusal.contains(&format!("in use by process {}", std::process::id())), "{refusal}");
        drop(lock);
        assert!(directory.lock().is_ok());
    }

    #[test]
    fn a_deep_directory_still_has_a_usable_socket() {
        let place = tempfile::tempdir().unwrap();
        let directory = DataDirectory::at(place.path().join("d".repeat(120)));
        directory.prepare().unwrap();
        let socket = directory.socket().unwrap();
        let listener = std::os::unix::net::UnixListener::bind(socket.path()).unwrap();
        assert!(directory.path().join("habeas.sock").exists());
        drop(listener);
    }
}
