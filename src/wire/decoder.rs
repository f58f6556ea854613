//! The stream of a link's plaintext, cut into frames.

use std::collections::VecDeque;
use std::fmt;

use bytes::{Buf, Bytes};

use super::{Frame, Kind};

/// Cuts a stream of bytes into frames, in whatever pieces it arrives.
///
/// A frame that lies within one chunk is a slice of it, nothing is copied; one that runs over several chunks is put
/// together in a buffer that grows with what has arrived, never with what was announced. What a frame announces is
/// held against its kind's limit before any of its body is read.
///
/// A slice keeps its whole chunk alive. Who keeps a body for long (a log) copies it when it is small beside the chunk:
/// otherwise a peer could make a short message hold a full record of memory.
#[derive(Default)]
pub struct FrameDecoder {
    /// What has arrived and is not yet taken; no empty ones among them.
    chunks: VecDeque<Bytes>,
    state: State,
    failed: Option<FrameError>,
}

/// Why a stream of frames ended badly. Nothing can be read after it: where the next frame begins is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A critical kind that this version does not know: the peer is newer, and gets GOODBYE `unsupported`.
    #[error("the peer sent a frame of the unknown critical kind {kind:#04x}; it may be newer than this node")]
    Unsupported {
        /// The kind's byte.
        kind: u8,
    },
    /// A frame announced a body over its kind's limit.
    #[error("the peer announced a {kind} of {len} bytes; the most is {limit}", limit = .kind.limit())]
    TooLong {
        /// The frame's kind.
        kind: Kind,
        /// The announced length in bytes.
        len: u32,
    },
    /// A frame's body breaks its kind's grammar.
    #[error("a {kind} of the peer {what}")]
    Malformed {
        /// The frame's kind.
        kind: Kind,
        /// What is wrong with it, as the rest of the sentence.
        what: &'static str,
    },
    /// The stream ended within a frame. It may have been cut on the way.
    #[error("the stream ended within a frame")]
    CutOff,
}

impl FrameError {
    /// Whether the peer broke the grammar. A newer version and a cut stream are nobody's offence.
    pub fn blames_peer(&self) -> bool {
        match self {
            FrameError::TooLong { .. } | FrameError::Malformed { .. } => true,
            FrameError::Unsupported { .. } | FrameError::CutOff => false,
        }
    }
}

/// How much of the next frame has been taken.
enum State {
    /// The first `have` bytes of its head.
    Head { bytes: [u8; Frame::HEAD_LEN], have: usize },
    /// Its head, and the part of its body that arrived in earlier chunks.
    Body { kind: Kind, len: usize, have: Vec<u8> },
}

impl Default for State {
    fn default() -> Self {
        State::Head { bytes: [0; Frame::HEAD_LEN], have: 0 }
    }
}

impl FrameDecoder {
    /// A decoder at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece of the stream; a `BytesMut` or a `Vec<u8>` becomes one without a copy. Least memory is held
    /// when all frames are taken out before the next piece is pushed.
    pub fn push(&mut self, chunk: impl Into<Bytes>) {
        let chunk = chunk.into();
        if !chunk.is_empty() && self.failed.is_none() {
            self.chunks.push_back(chunk);
        }
    }

    /// The next whole frame; `None` when more has to arrive first.
    ///
    /// # Errors
    /// The [`FrameError`] that ends the stream; then the same again at every call.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.advance().inspect_err(|error| {
            self.failed = Some(error.clone());
            self.chunks.clear();
            self.state = State::default();
        })
    }

    /// The kind of the frame whose head has arrived and whose body has not: so that a link can refuse a frame that has
    /// no business now before its body is there. Known once [`next_frame`](Self::next_frame) has answered `None`.
    pub fn kind_in_progress(&self) -> Option<Kind> {
        match self.state {
            State::Head { .. } => None,
            State::Body { kind, .. } => Some(kind),
        }
    }

    /// Whether the stream must not end here: part of a frame has arrived, or frames have not been taken.
    pub fn is_mid_frame(&self) -> bool {
        !self.chunks.is_empty() || !matches!(self.state, State::Head { have: 0, .. })
    }

    /// How many bytes of memory are held for what is not yet a frame: what was pushed and not taken, and a frame in
    /// progress.
    pub fn held_bytes(&self) -> usize {
        let body = match &self.state {
            State::Head { .. } => 0,
            State::Body { have, .. } => have.capacity(),
        };
        self.chunks.iter().map(Bytes::len).fold(body, usize::saturating_add)
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// If it has failed already, or ends within a frame.
    pub fn finish(self) -> Result<(), FrameError> {
        let cut_off = self.is_mid_frame();
        match self.failed {
            Some(error) => Err(error),
            None if cut_off => Err(FrameError::CutOff),
            None => Ok(()),
        }
    }

    fn advance(&mut self) -> Result<Option<Frame>, FrameError> {
        loop {
            match &mut self.state {
                State::Head { bytes, have } => {
                    let missing = bytes.get_mut(*have..).unwrap_or_default();
                    if !missing.is_empty() {
                        let copied = copy(&mut self.chunks, missing);
                        if copied == 0 {
                            return Ok(None);
                        }
                        *have = have.saturating_add(copied);
                        continue;
                    }
                    let (kind, len) = read_head(*bytes)?;
                    self.state = State::Body { kind, len, have: Vec::new() };
                }
                State::Body { kind, len, have } => {
                    let missing = len.saturating_sub(have.len());
                    let body = if missing == 0 {
                        Bytes::from(std::mem::take(have))
                    } else {
                        let Some(arrived) = take(&mut self.chunks, missing) else { return Ok(None) };
                        if arrived.len() < *len {
                            grow(have, arrived.len(), *len);
                            have.extend_from_slice(&arrived);
                            continue;
                        }
                        arrived
                    };
                    let kind = *kind;
                    self.state = State::default();
                    return Frame::decode(kind, body).map(Some);
                }
            }
        }
    }
}

impl fmt::Debug for FrameDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Sizes, no contents: what is said on a link stands in no trace.
        f.debug_struct("FrameDecoder")
            .field("held_bytes", &self.held_bytes())
            .field("kind_in_progress", &self.kind_in_progress())
            .field("failed", &self.failed)
            .finish()
    }
}

/// Up to `most` bytes (1 or more) of the first chunk, without a copy; `None` if there is none.
fn take(chunks: &mut VecDeque<Bytes>, most: usize) -> Option<Bytes> {
    let first = chunks.front_mut()?;
    if first.len() <= most { chunks.pop_front() } else { Some(first.split_to(most)) }
}

/// Moves as many bytes of the first chunk as there are and as fit to the beginning of `to`; says how many.
fn copy(chunks: &mut VecDeque<Bytes>, to: &mut [u8]) -> usize {
    let Some(first) = chunks.front_mut() else { return 0 };
    let copied = first.len().min(to.len());
    first.copy_to_slice(&mut to[..copied]);
    if first.is_empty() {
        chunks.pop_front();
    }
    copied
}

fn read_head(head: [u8; Frame::HEAD_LEN]) -> Result<(Kind, usize), FrameError> {
    let [length @ .., kind] = head;
    let announced = u32::from_be_bytes(length);
    let kind = Kind::from_byte(kind).ok_or(FrameError::Unsupported { kind })?;
    match usize::try_from(announced) {
        Ok(len) if len <= kind.limit() => Ok((kind, len)),
        _ => Err(FrameError::TooLong { kind, len: announced }),
    }
}

/// Makes room for `more` bytes in the body of a frame of `len` bytes: doubling, so that a trickle is not copied again
/// and again, but never beyond the frame's end.
fn grow(have: &mut Vec<u8>, more: usize, len: usize) {
    let needed = have.len().saturating_add(more);
    if needed > have.capacity() {
        let room = needed.max(have.capacity().saturating_mul(2)).min(len);
        have.reserve_exact(room.saturating_sub(have.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::arbitrary;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn encoded(frames: &[Frame]) -> Bytes {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.encode_into(&mut bytes).unwrap());
        bytes.into()
    }

    /// All frames of a stream that arrives in `chunks`, and how it ended.
    fn decode_all(chunks: impl IntoIterator<Item = Bytes>) -> (Vec<Frame>, Result<(), FrameError>) {
        let (mut decoder, mut frames) = (FrameDecoder::new(), Vec::new());
        for chunk in chunks {
            decoder.push(chunk);
            loop {
                match decoder.next_frame() {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(error) => return (frames, Err(error)),
                }
            }
        }
        (frames, decoder.finish())
    }

    /// `stream` cut at `cuts`, which are taken modulo its length.
    fn cut(stream: &Bytes, cuts: &[usize]) -> Vec<Bytes> {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        cuts.windows(2).map(|pair| stream.slice(pair[0]..pair[1])).collect()
    }

    #[test]
    fn a_frame_within_a_chunk_is_a_slice_of_it() {
        let stream = encoded(&[Frame::Lazy, Frame::Broadcast(vec![3; 5_000].into()), Frame::Eager]);
        let (frames, end) = decode_all([stream.clone()]);
        end.unwrap();
        let Frame::Broadcast(body) = &frames[1] else { panic!("{frames:?}") };
        assert_eq!(body.as_ptr(), stream[10..].as_ptr());
    }

    #[test]
    fn a_body_over_its_limit_is_refused_before_it_is_read() {
        for kind in Kind::ALL.into_iter().chain([Kind::from_byte(0x80).unwrap()]) {
            for len in [kind.limit() as u32 + 1, u32::MAX] {
                let mut decoder = FrameDecoder::new();
                let [a, b, c, d] = len.to_be_bytes();
                decoder.push(vec![a, b, c, d]);
                assert_eq!(decoder.next_frame(), Ok(None));
                decoder.push(vec![kind.as_byte()]);
                let error = decoder.next_frame().unwrap_err();
                assert_eq!(error, FrameError::TooLong { kind, len });
                assert!(error.blames_peer());
            }
        }
    }

    #[test]
    fn an_unknown_critical_kind_is_unsupported_and_blames_nobody() {
        for byte in (0..0x80).filter(|byte| Kind::from_byte(*byte).is_none()) {
            let stream = [&encoded(&[Frame::Eager])[..], &[0xFF, 0xFF, 0xFF, 0xFF, byte]].concat();
            let (frames, end) = decode_all([stream.into()]);
            assert_eq!((frames, end.clone()), (vec![Frame::Eager], Err(FrameError::Unsupported { kind: byte })));
            assert!(!end.unwrap_err().blames_peer());
        }
    }

    #[test]
    fn an_unknown_optional_kind_is_passed_over_as_a_frame() {
        let stream = [&b"\0\0\0\x02\x99hi"[..], &encoded(&[Frame::Eager])].concat();
        let (frames, end) = decode_all([stream.into()]);
        end.unwrap();
        assert!(matches!(&frames[..], [Frame::Unknown { body, .. }, Frame::Eager] if body == "hi"));
    }

    #[test]
    fn after_an_error_nothing_more_is_read_or_held() {
        let mut decoder = FrameDecoder::new();
        decoder.push(Bytes::from_static(b"\0\0\0\x07\x021234567\0\0\0\0\x23"));
        let error = decoder.next_frame().unwrap_err();
        assert!(matches!(error, FrameError::Malformed { kind: Kind::Ping, .. }));
        decoder.push(encoded(&[Frame::Eager]));
        assert_eq!(decoder.next_frame(), Err(error.clone()));
        assert_eq!(decoder.held_bytes(), 0);
        assert_eq!(decoder.finish(), Err(error));
    }

    #[test]
    fn a_stream_cut_within_a_frame_gives_nothing_of_it_and_blames_nobody() {
        let stream = encoded(&[Frame::Ping(*b"12345678")]);
        for end in 1..stream.len() {
            let mut decoder = FrameDecoder::new();
            decoder.push(stream.slice(..end));
            assert_eq!(decoder.next_frame(), Ok(None));
            assert!(decoder.is_mid_frame());
            assert_eq!(decoder.kind_in_progress(), (end >= 5).then_some(Kind::Ping));
            assert_eq!(decoder.finish(), Err(FrameError::CutOff));
        }
        assert!(!FrameError::CutOff.blames_peer());
        assert!(!FrameDecoder::new().is_mid_frame());
    }

    #[test]
    fn memory_follows_what_arrived_and_not_what_was_announced() {
        let stream = encoded(&[Frame::Broadcast(vec![1; 131_386].into())]);
        let mut decoder = FrameDecoder::new();
        for (arrived, byte) in stream.iter().enumerate().take(stream.len() - 1) {
            decoder.push(vec![*byte]);
            assert_eq!(decoder.next_frame(), Ok(None));
            assert!(decoder.held_bytes() <= 2 * (arrived + 1) && decoder.held_bytes() <= 131_386, "{arrived}");
        }
        decoder.push(stream.slice(stream.len() - 1..));
        assert!(matches!(decoder.next_frame(), Ok(Some(Frame::Broadcast(body))) if body.len() == 131_386));
        assert_eq!(decoder.held_bytes(), 0);
    }

    #[test]
    fn chunks_may_be_pushed_before_frames_are_taken() {
        let frames = [Frame::Ping([1; 8]), Frame::Have([].into_iter().collect()), Frame::Pong([2; 8])];
        let mut decoder = FrameDecoder::new();
        for byte in encoded(&frames) {
            decoder.push(vec![byte]);
            decoder.push(Bytes::new());
        }
        for frame in frames {
            assert_eq!(decoder.next_frame(), Ok(Some(frame)));
        }
        assert_eq!(decoder.next_frame(), Ok(None));
        decoder.finish().unwrap();
    }

    proptest! {
        #[test]
        fn frames_do_not_depend_on_how_the_stream_is_cut(
            frames in vec(arbitrary::frame(), 0..8),
            cuts in vec(any::<usize>(), 0..20),
        ) {
            let stream = encoded(&frames);
            let (decoded, end) = decode_all(cut(&stream, &cuts));
            prop_assert_eq!(end, Ok(()));
            prop_assert_eq!(decoded, frames);
        }

        #[test]
        fn hostile_streams_never_panic_and_end_alike_however_they_are_cut(
            frames in vec(arbitrary::frame(), 0..3),
            rubbish in vec(prop_oneof![Just(0_u8), Just(1), Just(2), any::<u8>()], 0..100),
            cuts in vec(any::<usize>(), 0..10),
        ) {
            let stream = Bytes::from([&encoded(&frames)[..], &rubbish].concat());
            let whole = decode_all([stream.clone()]);
            prop_assert_eq!(&decode_all(cut(&stream, &cuts)), &whole);
            let bytewise = (0..stream.len().min(3_000)).map(|at| stream.slice(at..=at));
            prop_assert_eq!(&decode_all(bytewise.chain([stream.slice(stream.len().min(3_000)..)])), &whole);
        }
    }
}
