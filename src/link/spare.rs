//! Memory for one write, which the writers of a thread use one after the other.
//!
//! A write nearly always ends in the moment in which it began: the operating system takes it. So the many links of a node
//! need no buffer each, only every thread one; a writer whose write has to wait takes its buffer along.

use std::cell::Cell;

use crate::wire::Frame;

/// A thread keeps a buffer up to this size, two full records.
const SMALL_BYTES: usize = 128 * 1024;

/// It keeps one up to this size as long as there are writes that need it: a batch and a frame more, in a power of two.
const MOST_BYTES: usize = 512 * 1024;

/// After so many writes in a row that did not need a large buffer it is given back.
const PATIENCE: u32 = 64;

/// As many frames as fill a small buffer, or a large one with messages of 256 bytes.
const MOST_FRAMES: usize = 1024;

thread_local! {
    static BYTES: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static UNNEEDED: Cell<u32> = const { Cell::new(0) };
    static FRAMES: Cell<Vec<Frame>> = const { Cell::new(Vec::new()) };
}

/// An empty buffer, with what room this thread has left.
pub(super) fn bytes() -> Vec<u8> {
    // A thread that is ending has none.
    BYTES.try_with(Cell::take).unwrap_or_default()
}

/// Leaves a buffer to the next write of this thread; what is in it shows how much this one needed.
pub(super) fn give_bytes(mut buffer: Vec<u8>) {
    let is_large = buffer.len() > SMALL_BYTES;
    buffer.clear();
    let _ = BYTES.try_with(|kept| {
        let other = kept.take();
        // Of two the larger, so that it seldom grows.
        let larger = if other.capacity() > buffer.capacity() { other } else { buffer };
        if larger.capacity() <= SMALL_BYTES || (larger.capacity() <= MOST_BYTES && is_needed(is_large)) {
            kept.set(larger);
        }
    });
}

/// Whether a large buffer is to be kept after a write that was large, or was not.
fn is_needed(is_large: bool) -> bool {
    let unneeded = UNNEEDED.try_with(Cell::get).unwrap_or_default();
    let unneeded = if is_large { 0 } else { unneeded + 1 };
    let is_needed = unneeded < PATIENCE;
    let _ = UNNEEDED.try_with(|kept| kept.set(if is_needed { unneeded } else { 0 }));
    is_needed
}

/// Works with an empty list of frames; what is left in it is dropped.
pub(super) fn with_frames<R>(work: impl FnOnce(&mut Vec<Frame>) -> R) -> R {
    let mut frames = FRAMES.try_with(Cell::take).unwrap_or_default();
    let done = work(&mut frames);
    frames.clear();
    if frames.capacity() <= MOST_FRAMES {
        let _ = FRAMES.try_with(|kept| kept.set(frames));
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_and_comes_empty() {
        let mut buffer = bytes();
        buffer.extend_from_slice(&[7; 9_000]);
        let (at, capacity) = (buffer.as_ptr(), buffer.capacity());
        give_bytes(buffer);
        // A smaller one does not take its place.
        give_bytes(Vec::with_capacity(10));
        let again = bytes();
        assert_eq!((again.as_ptr(), again.capacity(), again.len()), (at, capacity, 0));
        assert_eq!(bytes().capacity(), 0);
    }

    #[test]
    fn what_large_writes_need_is_kept_until_sixty_four_did_not_need_it() {
        let write = |needed: usize| {
            let mut buffer = bytes();
            let found = buffer.capacity();
            buffer.resize(needed, 7);
            give_bytes(buffer);
            found
        };
        assert_eq!([write(MOST_BYTES), write(MOST_BYTES)], [0, MOST_BYTES]);
        for _ in 0..2 {
            (1..PATIENCE).for_each(|_| assert_eq!(write(SMALL_BYTES), MOST_BYTES));
            assert_eq!(write(MOST_BYTES), MOST_BYTES);
        }
        (0..PATIENCE).for_each(|_| assert_eq!(write(SMALL_BYTES), MOST_BYTES));
        assert_eq!(write(SMALL_BYTES), 0);
    }

    #[test]
    fn what_no_write_of_a_link_needs_is_not_kept() {
        give_bytes(vec![7; MOST_BYTES + 1]);
        assert_eq!(bytes().capacity(), 0);
        with_frames(|frames| frames.resize(MOST_FRAMES + 1, Frame::Eager));
        with_frames(|frames| assert_eq!(frames.capacity(), 0));
    }

    #[test]
    fn a_list_of_frames_is_used_again_and_comes_empty() {
        let at = with_frames(|frames| {
            frames.resize(10, Frame::Eager);
            frames.as_ptr()
        });
        with_frames(|frames| assert!(frames.is_empty() && frames.as_ptr() == at));
    }
}
