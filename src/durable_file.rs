//! Small files that must be whole after a power cut: an id, a token, a number. Each is replaced at once or not at all.
//!
//! It refuses to know what the files mean, and it is not for data that grows.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Puts `bytes` into `<dir>/<name>` with `mode`. When this returns, the file and its name are on the disk.
pub fn write(dir: &Path, name: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
    let temporary = dir.join(format!(".{name}.new"));
    // Left over from a write that a power cut ended; `create_new` below must not meet it, nor its mode.
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, dir.join(name))?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_with_its_mode_and_nothing_stays_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(".id.new"), "half").unwrap();
        for text in ["first and longer", "second"] {
            write(dir.path(), "id", text.as_bytes(), 0o600).unwrap();
            assert_eq!(std::fs::read_to_string(dir.path().join("id")).unwrap(), text);
        }
        let mode = std::fs::metadata(dir.path().join("id")).unwrap().permissions().mode();
        assert_eq!((mode & 0o777, std::fs::read_dir(dir.path()).unwrap().count()), (0o600, 1));
    }
}
