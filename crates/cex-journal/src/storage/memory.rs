//! A disk in memory that crashes when told, loses what was not synced, and refuses what it is told to refuse: for tests,
//! here and in the simulated world.

use super::{Access, Storage, StorageFile};
use crate::damage::JournalError;
use crate::shared::locked;
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

/// What a disk writes at once or not at all.
const SECTOR: usize = 512;

/// What goes wrong, besides crashes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// Every sync fails once, and then pretends to succeed: what Linux does after a failed write-back.
    Sync,
    /// There is room for so many bytes more.
    Space(u64),
}

#[derive(Clone, Default)]
struct Content {
    /// As running programs see it.
    cached: Vec<u8>,
    /// As it is on the disk.
    durable: Vec<u8>,
    /// Sectors whose write-back failed: called clean, so that no later sync writes them, until they are written anew.
    lost: BTreeSet<usize>,
}

impl Content {
    fn clean(bytes: Vec<u8>) -> Self {
        Self { cached: bytes.clone(), durable: bytes, lost: BTreeSet::new() }
    }

    fn sync(&mut self) {
        for (sector, new) in
            self.cached.chunks(SECTOR).enumerate().filter(|(sector, _)| !self.lost.contains(sector))
        {
            let at = sector * SECTOR;
            self.durable.resize(self.durable.len().max(at + new.len()), 0);
            self.durable[at..at + new.len()].copy_from_slice(new);
        }
    }

    fn fail(&mut self) {
        let Self { cached, durable, lost } = self;
        let sectors = cached.chunks(SECTOR).enumerate();
        lost.extend(
            sectors
                .filter(|(at, new)| durable.get(at * SECTOR..at * SECTOR + new.len()) != Some(new))
                .map(|(at, _)| at),
        );
    }
}

/// Asked before every effect: whether the machine is up.
type IsUp = Arc<dyn Fn() -> bool + Send + Sync>;

#[derive(Clone, Default)]
struct State {
    files: Vec<Content>,
    /// As running programs see it: name to file.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    effects: u64,
    syncs: u64,
    crash_at: Option<u64>,
    /// Per mille of a write that reaches the file when the crash interrupts it.
    torn_per_mille: usize,
    crashed: bool,
    locked: bool,
    trouble: Trouble,
    is_up: Option<IsUp>,
}

/// A disk in memory; clones are the same disk. An effect is whatever changes what a later start finds: a write, a sync, a
/// file made or removed, names put on disk.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

impl MemoryDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// Crashes as soon as `is_up` says no; it is asked once before every effect, and must not touch this disk. A write that
    /// is interrupted reaches the file by so many per mille.
    pub fn crash_when_down(&self, is_up: IsUp, torn_per_mille: usize) {
        let mut state = self.state();
        state.is_up = Some(is_up);
        state.torn_per_mille = torn_per_mille;
    }

    /// Crashes instead of doing effect number `at`, counted from here; a write then reaches the file in part.
    pub fn crash_at(&self, at: u64, torn_per_mille: usize) {
        let mut state = self.state();
        state.crash_at = Some(state.effects + at);
        state.torn_per_mille = torn_per_mille;
    }

    /// From now on this goes wrong.
    pub fn trouble(&self, trouble: Trouble) {
        self.state().trouble = trouble;
    }

    /// Effects so far.
    #[must_use]
    pub fn effects(&self) -> u64 {
        self.state().effects
    }

    /// Of these, syncs of files.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Whether it has crashed.
    #[must_use]
    pub fn crashed(&self) -> bool {
        self.state().crashed
    }

    /// What a process that starts after this one was killed finds: everything written, on disk or not yet.
    #[must_use]
    pub fn after_kill(&self) -> Self {
        let State { files, names, durable_names, .. } = self.state().clone();
        Self { state: Arc::new(Mutex::new(State { files, names, durable_names, ..State::default() })) }
    }

    /// What is found after the power was lost: of what was not synced, any part. `below` is chance: of a number, one below it.
    #[must_use]
    pub fn after_power_loss(&self, mut below: impl FnMut(u64) -> u64) -> Self {
        let state = self.state();
        let mut files = Vec::new();
        for Content { cached, durable, lost } in &state.files {
            let mut found = durable.clone();
            for (sector, new) in cached.chunks(SECTOR).enumerate() {
                let at = sector * SECTOR;
                if found.get(at..at + new.len()) != Some(new) && !lost.contains(&sector) && below(2) == 0 {
                    found.resize(found.len().max(at + new.len()), 0);
                    found[at..at + new.len()].copy_from_slice(new);
                }
            }
            files.push(found);
        }
        let mut names = state.durable_names.clone();
        for (name, file) in &state.names {
            if !names.contains_key(name) && below(2) == 0 {
                names.insert(name.clone(), *file);
            }
        }
        for name in state.durable_names.keys() {
            if !state.names.contains_key(name) && below(2) == 0 {
                names.remove(name);
            }
        }
        let files = files.into_iter().map(Content::clean).collect();
        let state = State { files, durable_names: names.clone(), names, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// The files whose names end so, and their bytes.
    #[must_use]
    pub fn files(&self, suffix: &str) -> Vec<(String, Vec<u8>)> {
        let state = self.state();
        let wanted = state.names.iter().filter(|(name, _)| name.ends_with(suffix));
        wanted.map(|(name, file)| (name.clone(), state.files[*file].cached.clone())).collect()
    }

    /// Changes the bytes of a file, as rot or a crash would; of a file that is not there nothing.
    pub fn spoil(&self, name: &str, spoil: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let Some(file) = state.names.get(name).copied() else { return };
        let mut bytes = state.files[file].cached.clone();
        spoil(&mut bytes);
        state.files[file] = Content::clean(bytes);
    }

    /// Counts an effect; an error when the crash is now or was before.
    fn effect(&self) -> Result<MutexGuard<'_, State>, (io::Error, MutexGuard<'_, State>)> {
        let mut state = self.state();
        let was = state.crashed;
        state.crashed |=
            state.crash_at == Some(state.effects) || state.is_up.as_ref().is_some_and(|is_up| !is_up());
        state.effects += 1;
        if !state.crashed {
            return Ok(state);
        }
        if was {
            // Only the first effect may happen in part.
            state.torn_per_mille = 0;
        }
        Err((io::Error::other("the machine is down"), state))
    }
}

fn down<T>((error, _): (io::Error, MutexGuard<'_, State>)) -> io::Result<T> {
    Err(error)
}

impl Storage for MemoryDisk {
    fn place(&self) -> String {
        "disk".to_owned()
    }

    fn lock(&self) -> Result<Box<dyn Any + Send>, JournalError> {
        let mut state = self.state();
        if state.locked {
            return Err(JournalError::Locked { dir: self.place(), pid: Some(1) });
        }
        state.locked = true;
        Ok(Box::new(Unlock(self.clone())))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn StorageFile>> {
        let mut state = match self.effect() {
            Ok(state) => state,
            Err((error, mut state)) => {
                // Made, but not of its size yet.
                if state.torn_per_mille > 0 {
                    let file = state.files.len();
                    let len = size(bytes) * state.torn_per_mille / 1_000;
                    state.files.push(Content { cached: vec![0; len], ..Content::default() });
                    state.names.insert(name.to_owned(), file);
                }
                return Err(error);
            }
        };
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if let Trouble::Space(left) = state.trouble {
            let left = left.checked_sub(bytes).ok_or(io::ErrorKind::StorageFull)?;
            state.trouble = Trouble::Space(left);
        }
        let file = state.files.len();
        state.files.push(Content::clean(vec![0; size(bytes)]));
        state.names.insert(name.to_owned(), file);
        Ok(Arc::new(DiskFile { disk: self.clone(), file }))
    }

    fn open(&self, name: &str, _access: Access) -> io::Result<Arc<dyn StorageFile>> {
        let file = self.state().names.get(name).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(DiskFile { disk: self.clone(), file }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.effect().or_else(down)?;
        state.names.remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut state = self.effect().or_else(down)?;
        state.durable_names = state.names.clone();
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(match self.state().trouble {
            Trouble::Space(left) => left,
            Trouble::None | Trouble::Sync => 1 << 40,
        })
    }
}

struct Unlock(MemoryDisk);

impl Drop for Unlock {
    fn drop(&mut self) {
        self.0.state().locked = false;
    }
}

struct DiskFile {
    disk: MemoryDisk,
    file: usize,
}

impl StorageFile for DiskFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[self.file].cached.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        let bytes = state.files[self.file].cached.get(size(offset)..).unwrap_or_default();
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let (mut state, count, result) = match self.disk.effect() {
            Ok(state) => (state, bytes.len(), Ok(())),
            Err((error, state)) => {
                let count = bytes.len() * state.torn_per_mille / 1_000;
                (state, count, Err(error))
            }
        };
        let Content { cached, lost, .. } = &mut state.files[self.file];
        let (start, end) = (size(offset), size(offset) + count);
        let Some(place) = cached.get_mut(start..end) else {
            return Err(io::Error::other("a write beyond the space that was reserved"));
        };
        place.copy_from_slice(&bytes[..count]);
        lost.retain(|sector| !(start / SECTOR..end.div_ceil(SECTOR)).contains(sector));
        result
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.effect().or_else(down)?;
        state.syncs += 1;
        if state.trouble == Trouble::Sync {
            state.trouble = Trouble::None;
            state.files[self.file].fail();
            return Err(io::Error::other("input/output error"));
        }
        state.files[self.file].sync();
        Ok(())
    }
}

/// A length or offset as this machine counts.
fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

impl std::fmt::Debug for MemoryDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state();
        f.debug_struct("MemoryDisk")
            .field("files", &state.names.keys())
            .field("effects", &state.effects)
            .field("crashed", &state.crashed)
            .finish_non_exhaustive()
    }
}
