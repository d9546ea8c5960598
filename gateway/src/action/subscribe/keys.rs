//! The key that cursors are signed with where the configuration names none: this gateway's own, made once
//! and kept.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// How long it is, in bytes.
const LENGTH: usize = 32;

/// The key that is kept in a directory; a new one, if there is none.
///
/// # Errors
/// Where it can be neither read nor written, or is too short to be one.
pub(crate) fn own(data_dir: &Path) -> Result<Vec<u8>, String> {
    let path = data_dir.join("cursor.key");
    let at = |error: io::Error| format!("{}: {error}", path.display());
    if let Some(known) = read(&path).map_err(at)? {
        return Ok(known);
    }
    fs::create_dir_all(data_dir).map_err(at)?;
    let mut key = vec![0; LENGTH];
    getrandom::fill(&mut key).map_err(|error| format!("{}: {error}", path.display()))?;
    // Whole or not at all: another process may read it as soon as it is there.
    let draft = data_dir.join(format!("cursor.key.{}", std::process::id()));
    write(&draft, &key).map_err(at)?;
    let made = fs::hard_link(&draft, &path);
    let _ = fs::remove_file(&draft);
    match made {
        Ok(()) => Ok(key),
        // Another process was faster.
        Err(_) => match read(&path).map_err(at)? {
            Some(known) => Ok(known),
            None => Err(format!("{}: it cannot be made", path.display())),
        },
    }
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(key) if key.len() >= LENGTH => Ok(Some(key)),
        Ok(_) => Err(io::Error::other(
            "it is too short for a key; remove it, and cursors given out before are void",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write(path: &Path, key: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(key)?;
    file.sync_all()
}
