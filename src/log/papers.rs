//! The certificates file: who had which certificate, so that a node that starts again knows whose contents to let go of when
//! it hears of a revocation that it missed.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

/// The name of the file in the folder of a node.
const FILE: &str = "certificates";

/// No more is read or written: some hundred thousand certificates, and only the authority can make them.
const MAX_LEN: u64 = 32 << 20;

/// The certificates in the file, oldest first. What a crash cut off at its end is left out; it comes again from others.
pub(super) fn read(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut bytes = Vec::new();
    match File::open(folder.join(FILE)) {
        Ok(file) => file.take(MAX_LEN).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let (mut rest, mut found) = (bytes.as_slice(), Vec::new());
    while let Some((len, behind)) = rest.split_first_chunk::<2>() {
        let Some((certificate, behind)) = behind.split_at_checked(u16::from_be_bytes(*len).into()) else { break };
        found.push(certificate.to_vec());
        rest = behind;
    }
    Ok(found)
}

/// Puts a certificate behind the others; a full file takes none.
pub(super) fn append(folder: &Path, certificate: &[u8]) -> io::Result<()> {
    let mut file = options().append(true).create(true).open(folder.join(FILE))?;
    if file.metadata()?.len() >= MAX_LEN {
        return Ok(());
    }
    // In one piece: certificates are written from more than one thread.
    file.write_all(&row(certificate))
}

/// Writes the file anew, with these in it.
pub(super) fn replace(folder: &Path, certificates: &[Vec<u8>]) -> io::Result<()> {
    let (path, temporary) = (folder.join(FILE), folder.join(format!("{FILE}.new")));
    let mut file = options().write(true).create(true).truncate(true).open(&temporary)?;
    let rows: Vec<u8> = certificates.iter().flat_map(|certificate| row(certificate)).collect();
    file.write_all(&rows)?;
    file.sync_all()?;
    std::fs::rename(temporary, path)
}

fn row(certificate: &[u8]) -> Vec<u8> {
    // A certificate has 163 bytes at most.
    let len = u16::try_from(certificate.len()).unwrap_or_default();
    [&len.to_be_bytes()[..], &certificate[..usize::from(len)]].concat()
}

fn options() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there is a mode to be set"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_comes_out_in_order_and_nothing_of_what_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert!(read(folder).unwrap().is_empty());
        let all = [vec![1; 131], vec![2; 163], vec![3; 140]];
        all.iter().for_each(|certificate| append(folder, certificate).unwrap());
        assert_eq!(read(folder).unwrap(), all);
        let bytes = std::fs::read(folder.join(FILE)).unwrap();
        for (len, whole) in [(bytes.len() - 1, 2), (bytes.len() - 141, 2), (133, 1), (132, 0), (1, 0), (0, 0)] {
            std::fs::write(folder.join(FILE), &bytes[..len]).unwrap();
            assert_eq!(read(folder).unwrap(), all[..whole], "of {len} bytes");
        }
        // It is begun anew, so that nothing stands behind what was cut off.
        std::fs::write(folder.join(FILE), &bytes[..150]).unwrap();
        replace(folder, &all[..1]).unwrap();
        append(folder, &all[2]).unwrap();
        assert_eq!(read(folder).unwrap(), [all[0].clone(), all[2].clone()]);
    }
}
