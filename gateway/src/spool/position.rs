//! Up to where all has been acknowledged, in a file of two slots that are written in turn: whatever
//! interrupts a write, the other slot is whole.
//!
//! A slot is 32 bytes: a number that grows, the segment and the offset in it, 8 bytes each, 4 of zero,
//! and the CRC-32 of all that.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::format::array;

const SLOT: usize = 32;
const NAME: &str = "position";

/// A place in the spool: all before it is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Place {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

/// The place, written down.
#[derive(Debug)]
pub(super) struct Position {
    file: File,
    turn: u64,
}

impl Position {
    /// Opens the file, or makes it, and says what it says.
    pub(super) fn open(directory: &Path) -> io::Result<(Self, Place)> {
        let path = directory.join(NAME);
        let known = read_slots(&path)?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        let length = file.metadata()?.len();
        if length < 2 * SLOT as u64 {
            // Now, and not when the disk is full of what could go once this is written.
            let missing = 2 * SLOT - usize::try_from(length).unwrap_or(0);
            file.write_all_at(&vec![0; missing], length)?;
            file.sync_all()?;
        }
        super::directory::sync(directory)?;
        let (turn, place) = known.unwrap_or_default();
        Ok((Self { file, turn }, place))
    }

    /// Writes a place down; once this returns, it outlives the machine.
    pub(super) fn write(&mut self, place: Place) -> io::Result<()> {
        let turn = self.turn + 1;
        let mut slot = [0; SLOT];
        for (index, number) in [turn, place.segment, place.offset].iter().enumerate() {
            slot[index * 8..][..8].copy_from_slice(&number.to_le_bytes());
        }
        let crc = crc32fast::hash(&slot[..SLOT - 4]);
        slot[SLOT - 4..].copy_from_slice(&crc.to_le_bytes());
        self.file.write_all_at(&slot, (turn % 2) * SLOT as u64)?;
        self.file.sync_data()?;
        self.turn = turn;
        Ok(())
    }
}

/// What was last written down in a directory: the beginning, if nothing was, or nothing whole.
pub(super) fn read(directory: &Path) -> io::Result<Place> {
    let known = read_slots(&directory.join(NAME))?;
    Ok(known.map(|(_, place)| place).unwrap_or_default())
}

fn read_slots(path: &Path) -> io::Result<Option<(u64, Place)>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let slots = bytes.chunks_exact(SLOT).take(2).filter_map(|slot| {
        let (said, crc) = slot.split_at(SLOT - 4);
        let number = |index: usize| u64::from_le_bytes(array(&said[index * 8..][..8]));
        let place = Place {
            segment: number(1),
            offset: number(2),
        };
        (crc32fast::hash(said).to_le_bytes() == crc).then(|| (number(0), place))
    });
    Ok(slots.max_by_key(|(turn, _)| *turn))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::tests::Directory;

    #[test]
    fn a_write_that_is_cut_leaves_what_was_there_before() {
        let directory = Directory::new();
        let (mut position, place) = Position::open(directory.path()).unwrap();
        assert_eq!(place, Place::default());
        let places = [(1, 5), (1, 900), (2, 64)].map(|(segment, offset)| Place { segment, offset });
        for place in places {
            position.write(place).unwrap();
            assert_eq!(read(directory.path()).unwrap(), place);
        }
        let path = directory.path().join(NAME);
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            std::fs::write(&path, &damaged).unwrap();
            let said = read(directory.path()).unwrap();
            assert!(
                places[1..].contains(&said),
                "{said:?} with byte {at} damaged"
            );
        }
        std::fs::write(&path, &whole).unwrap();
        // What is whole of a file that is too short stays, even if nothing more is written.
        let slot = &whole[..SLOT + 5];
        std::fs::write(&path, slot).unwrap();
        for _ in 0..2 {
            let (_, place) = Position::open(directory.path()).unwrap();
            assert!(places.contains(&place), "{place:?}");
        }
        std::fs::write(&path, &whole).unwrap();
        let (mut position, place) = Position::open(directory.path()).unwrap();
        assert_eq!(place, places[2]);
        position.write(places[0]).unwrap();
        assert_eq!(read(directory.path()).unwrap(), places[0]);
    }
}
