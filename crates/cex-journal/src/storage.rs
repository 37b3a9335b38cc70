//! The few effects a journal has on a disk, so that tests can put a faulty one underneath; the real one, and
//! one in memory.

mod directory;
mod memory;

pub use directory::{Directory, make_directory};
pub use memory::{MemoryDisk, Trouble};

use crate::damage::JournalError;
use std::any::Any;
use std::io;
use std::sync::Arc;

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Only looking; needs no permission to write.
    Read,
    /// Looking and writing.
    Write,
}

/// A directory that holds one journal.
pub trait Storage: Send + Sync {
    /// Where it is, for messages.
    fn place(&self) -> String;

    /// Makes sure that no other process writes here, until the returned guard is dropped or this process ends.
    ///
    /// # Errors
    /// [`JournalError::Locked`] when another process does, [`JournalError::Io`] when that cannot be found out.
    fn lock(&self) -> Result<Box<dyn Any + Send>, JournalError>;

    /// Names of all files, in any order.
    ///
    /// # Errors
    /// As the disk says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes a new file of `bytes` zeros whose space is reserved and which is itself on disk; its name is on disk only
    /// after [`Storage::sync_names`].
    ///
    /// # Errors
    /// As the disk says; an existing file is an error.
    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn StorageFile>>;

    /// Opens an existing file.
    ///
    /// # Errors
    /// As the disk says.
    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn StorageFile>>;

    /// Removes a file; on disk only after [`Storage::sync_names`].
    ///
    /// # Errors
    /// As the disk says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Puts the names of files on disk.
    ///
    /// # Errors
    /// As the disk says.
    fn sync_names(&self) -> io::Result<()>;

    /// Bytes a program may still write here.
    ///
    /// # Errors
    /// As the disk says.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// An open file. Reads and writes name their place, so that several threads can use one handle.
pub trait StorageFile: Send + Sync {
    /// Its length.
    ///
    /// # Errors
    /// As the disk says.
    fn bytes(&self) -> io::Result<u64>;

    /// Fills the start of `buffer` from `offset`; how much, which is less than asked only at the end of the file.
    ///
    /// # Errors
    /// As the disk says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`. When it returns they survive the end of this process, not of the machine.
    ///
    /// # Errors
    /// As the disk says; some of the bytes may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Puts everything written on disk.
    ///
    /// # Errors
    /// As the disk says. After an error nothing is known of what was written since the last success, and a second call
    /// that succeeds proves nothing.
    fn sync(&self) -> io::Result<()>;
}
