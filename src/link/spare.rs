//! Memory for one write, which the writers of a thread use one after the other.
//!
//! A write nearly always ends in the moment in which it began: the operating system takes it. So the many links of a node
//! need no buffer each, only every thread one; a writer whose write has to wait takes its buffer along.

use std::cell::Cell;

use crate::wire::Frame;

/// A thread keeps a buffer up to this size, two full records; what one large write needed is given back.
const MOST_BYTES: usize = 128 * 1024;

/// As many frames as fill that.
const MOST_FRAMES: usize = 1024;

thread_local! {
    static BYTES: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static FRAMES: Cell<Vec<Frame>> = const { Cell::new(Vec::new()) };
}

/// An empty buffer, with what room this thread has left.
pub(super) fn bytes() -> Vec<u8> {
    // A thread that is ending has none.
    BYTES.try_with(Cell::take).unwrap_or_default()
}

/// Leaves a buffer to the next write of this thread.
pub(super) fn give_bytes(mut buffer: Vec<u8>) {
    if buffer.capacity() > MOST_BYTES {
        return;
    }
    buffer.clear();
    let _ = BYTES.try_with(|kept| {
        let other = kept.take();
        // Of two the larger, so that it seldom grows.
        kept.set(if other.capacity() > buffer.capacity() { other } else { buffer });
    });
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
    fn what_a_large_write_needed_is_not_kept() {
        give_bytes(Vec::with_capacity(MOST_BYTES + 1));
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
