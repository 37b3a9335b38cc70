//! A directory of a real file system.

use super::{Access, Storage, StorageFile};
use crate::damage::JournalError;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::any::Any;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file whose lock means writing; it holds the number of the process.
const LOCK: &str = "LOCK";
/// Zeros are written in pieces of this size where a file system cannot reserve space.
const PIECE: usize = 1 << 20;

/// A directory of a real file system, readable by its owner only.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// An existing directory.
    #[must_use]
    pub fn existing(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The directory, made with its parents where it does not exist, and its own name on disk.
    ///
    /// # Errors
    /// As the disk says.
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        Self::create_with(path, &mut sync_directory)
    }

    fn create_with(path: &Path, sync: SyncNames<'_>) -> Result<Self, JournalError> {
        // Also where it was there: whoever made it may have ended before its name was on disk.
        let made = make_with(path, sync).and_then(|()| sync(above(path)));
        made.map_err(|source| JournalError::Io {
            op: "making the directory",
            dir: path.display().to_string(),
            file: String::new(),
            source,
        })?;
        Ok(Self::existing(path))
    }

    /// Whether a process writes the journal here just now, as far as that can be found out.
    #[must_use]
    pub fn is_written(&self) -> bool {
        let file = File::open(self.path.join(LOCK));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    fn locked(&self) -> JournalError {
        let text = fs::read_to_string(self.path.join(LOCK)).unwrap_or_default();
        JournalError::Locked { dir: self.place(), pid: text.trim().parse().ok() }
    }
}

impl Storage for Directory {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn lock(&self) -> Result<Box<dyn Any + Send>, JournalError> {
        let failed =
            |source| JournalError::Io { op: "locking", dir: self.place(), file: LOCK.to_owned(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(self.path.join(LOCK)).map_err(failed)?;
        // The lock goes with the process, however that ends; the file stays and means nothing by itself.
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(self.locked()),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(Box::new(file))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn StorageFile>> {
        let path = self.path.join(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        // What could not be made whole is taken away again, or the next attempt would find it.
        if let Err(error) = reserve(&file, bytes).and_then(|()| file.sync_all()) {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(Arc::new(RealFile(file)))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn StorageFile>> {
        let file = OpenOptions::new().read(true).write(access == Access::Write).open(self.path.join(name))?;
        Ok(Arc::new(RealFile(file)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        sync_directory(&self.path)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let stat = statvfs(&self.path)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// Makes a directory where it does not exist, with all above it that do not, for their owner alone. The name of each that was made is
/// on disk before the next is: a loss of power takes none of them with what stands in it.
///
/// # Errors
/// As the disk says.
pub fn make_directory(path: &Path) -> io::Result<()> {
    make_with(path, &mut sync_directory)
}

/// Puts the names in a directory on disk.
type SyncNames<'a> = &'a mut dyn FnMut(&Path) -> io::Result<()>;

fn make_with(path: &Path, sync: SyncNames<'_>) -> io::Result<()> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.is_dir()).collect();
    for path in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(path) {
            // Another process was faster; whether its name is on disk is not known either.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            made => made?,
        }
        sync(above(path))?;
    }
    Ok(())
}

/// The directory that holds a path's name.
fn above(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        // The root holds its own.
        None => path,
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Gives the file its size and its space, so that writing into it cannot run out of either.
fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => fill_with_zeros(file, bytes),
        Err(error) => Err(error.into()),
    }
}

fn fill_with_zeros(file: &File, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; PIECE];
    let mut file = file;
    io::copy(&mut zeros.as_slice().chain(io::repeat(0)).take(bytes), &mut file).map(drop)
}

#[derive(Debug)]
struct RealFile(File);

impl StorageFile for RealFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn files_are_whole_private_and_made_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let storage = Directory::create(&dir.path().join("a/b")).expect("made with its parents");
        let file = storage.create("x", 10_000).expect("made");
        assert_eq!(file.bytes().expect("its length"), 10_000);
        let meta = fs::metadata(dir.path().join("a/b/x")).expect("it is there");
        assert_eq!(meta.mode() & 0o777, 0o600);
        assert!(meta.blocks() * 512 >= 10_000, "its space is reserved");
        assert_eq!(
            storage.create("x", 10).err().map(|error| error.kind()),
            Some(io::ErrorKind::AlreadyExists)
        );
        assert_eq!(fs::metadata(dir.path().join("a/b")).expect("it is there").mode() & 0o777, 0o700);
        assert!(storage.free_bytes().expect("a number") > 0);
    }

    #[test]
    fn every_directory_that_is_made_is_on_disk_by_the_one_above_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let (root, whole) = (dir.path(), dir.path().join("a/b/c"));
        let mut synced = Vec::new();
        let mut sync = |path: &Path| {
            // What is put on disk so is what stands in it by then.
            synced.push((path.to_owned(), fs::read_dir(path)?.count()));
            Ok(())
        };
        make_with(&whole, &mut sync).expect("made");
        make_with(&whole, &mut sync).expect("it is there");
        let expected = [root, &root.join("a"), &root.join("a/b")].map(|path| (path.to_owned(), 1));
        assert_eq!(synced, expected, "each once, from above, with the next in it");
        for path in ["a", "a/b", "a/b/c"] {
            assert_eq!(fs::metadata(root.join(path)).expect("it is there").mode() & 0o777, 0o700);
        }
        let blocked = make_with(&root.join("x/y"), &mut |_| Err(io::ErrorKind::StorageFull.into()));
        assert_eq!(blocked.expect_err("a disk that does not keep it").kind(), io::ErrorKind::StorageFull);
        assert!(!root.join("x/y").exists(), "nothing goes into what is not on disk");
        fs::write(root.join("file"), "").expect("our own directory");
        assert!(make_directory(&root.join("file")).is_err() && make_directory(&root.join("file/x")).is_err());
    }

    #[test]
    fn the_name_of_a_journal_is_put_on_disk_at_every_open() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("journal");
        for _ in 0..2 {
            let mut synced = Vec::new();
            let mut sync = |path: &Path| {
                synced.push(path.to_owned());
                Ok(())
            };
            Directory::create_with(&path, &mut sync).expect("made or there");
            assert_eq!(synced.last().map(PathBuf::as_path), Some(dir.path()));
        }
        assert_eq!((above(Path::new("x")), above(Path::new("/"))), (Path::new("."), Path::new("/")));
    }

    #[test]
    fn zeros_can_be_written_where_space_cannot_be_reserved() {
        let file = tempfile::tempfile().expect("a file");
        fill_with_zeros(&file, 2 * PIECE as u64 + 5).expect("room for it");
        assert_eq!(file.metadata().expect("its length").len(), 2 * PIECE as u64 + 5);
    }

    #[test]
    fn a_second_writer_is_told_who_the_first_is() {
        let dir = tempfile::tempdir().expect("a directory");
        let storage = Directory::existing(dir.path());
        assert!(!storage.is_written());
        let guard = storage.lock().expect("free");
        assert!(storage.is_written());
        let error = storage.lock().expect_err("taken");
        let expected = format!("{}: in use by process {}", dir.path().display(), std::process::id());
        assert_eq!(error.to_string(), expected);
        drop(guard);
        storage.lock().expect("free again");
    }
}
