//! The body of a sealed file: chunks of 64 KiB, each sealed under its number and whether it is the last one, so that none
//! can be exchanged, left out or cut off.

use std::io::{self, BufRead, Write};

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};
use zeroize::Zeroizing;

use super::FileError;
use super::header::body_key;
use crate::sealed::ContentKey;

/// Contents of a chunk; the last one may be shorter, and is empty in an empty file only.
const CHUNK: usize = 64 << 10;
const TAG: usize = 16;

pub(super) fn seal(key: &ContentKey, input: &mut impl BufRead, output: &mut impl Write) -> Result<u64, FileError> {
    let cipher = ChaCha20Poly1305::new((&*body_key(key)).into());
    let mut buffer = Zeroizing::new(Vec::with_capacity(CHUNK + TAG));
    let mut total = 0_u64;
    for number in 0_u64.. {
        let is_last = fill(&mut buffer, CHUNK, input)?;
        total += buffer.len() as u64;
        let sealed = cipher.encrypt_in_place(&nonce(number, is_last), &[], &mut *buffer);
        sealed.map_err(|_| FileError::Write(io::Error::other("the cipher refused")))?;
        output.write_all(&buffer).map_err(FileError::Write)?;
        if is_last {
            break;
        }
    }
    Ok(total)
}

pub(super) fn open(key: &ContentKey, input: &mut impl BufRead, output: &mut impl Write) -> Result<u64, FileError> {
    let cipher = ChaCha20Poly1305::new((&*body_key(key)).into());
    let mut buffer = Zeroizing::new(Vec::with_capacity(CHUNK + TAG));
    let mut good = 0_u64;
    for number in 0_u64.. {
        let is_last = fill(&mut buffer, CHUNK + TAG, input)?;
        let opened = cipher.decrypt_in_place(&nonce(number, is_last), &[], &mut *buffer);
        // An empty chunk behind others would be a second way to write the same file.
        if opened.is_err() || buffer.is_empty() && number > 0 {
            return Err(FileError::Altered { good });
        }
        output.write_all(&buffer).map_err(FileError::Write)?;
        good += buffer.len() as u64;
        if is_last {
            break;
        }
    }
    Ok(good)
}

/// Reads a chunk of `len` bytes, or what is left; says whether nothing comes after it.
fn fill(buffer: &mut Vec<u8>, len: usize, input: &mut impl BufRead) -> Result<bool, FileError> {
    buffer.clear();
    loop {
        let available = match input.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(FileError::Read(error)),
        };
        let taken = available.len().min(len - buffer.len());
        // Asked for once more when the chunk is full: only then it is known whether it is the last.
        if available.is_empty() || taken == 0 {
            return Ok(available.is_empty());
        }
        buffer.extend_from_slice(&available[..taken]);
        input.consume(taken);
    }
}

/// The chunk's number, 11 bytes, and 1 for the last one.
fn nonce(number: u64, is_last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(is_last);
    nonce.into()
}
