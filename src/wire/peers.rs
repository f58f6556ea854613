//! PEERS_WANTED and PEERS: asking a neighbour for members.

use bytes::BytesMut;

use super::{Frame, FrameTooLong, Kind};

/// The body of PEERS_WANTED: whom to name, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeersWanted {
    which: WhichPeers,
    count: u8,
}

/// Which members an asker wants to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhichPeers {
    /// 0: any, at random.
    RandomMembers,
    /// 1: those the answerer has links with.
    YourNeighbours,
}

impl PeersWanted {
    /// The most members one may ask for at once: 16 records of 4 KiB fill a PEERS.
    pub const MAX_COUNT: u8 = 16;

    /// Asks for `count` members, taken as 1 below that and as 16 above.
    pub fn new(which: WhichPeers, count: u8) -> Self {
        PeersWanted { which, count: count.clamp(1, Self::MAX_COUNT) }
    }

    /// Whom the asker wants to hear of.
    pub fn which(self) -> WhichPeers {
        self.which
    }

    /// How many, 1 to 16.
    pub fn count(self) -> u8 {
        self.count
    }

    pub(super) fn to_bytes(self) -> [u8; 2] {
        let which = match self.which {
            WhichPeers::RandomMembers => 0,
            WhichPeers::YourNeighbours => 1,
        };
        [which, self.count]
    }

    pub(super) fn from_bytes(bytes: [u8; 2]) -> Option<Self> {
        let which = match bytes[0] {
            0 => WhichPeers::RandomMembers,
            1 => WhichPeers::YourNeighbours,
            _ => return None,
        };
        (1..=Self::MAX_COUNT).contains(&bytes[1]).then_some(PeersWanted { which, count: bytes[1] })
    }
}

impl Frame {
    /// PEERS frames that hold `envelopes` (their bytes) in their order, as few as possible. Without envelopes it is one
    /// empty frame: "I know none" is an answer too, and the asker need not wait for a time-out.
    ///
    /// # Errors
    /// If an envelope alone is longer than a PEERS may be (72 KiB); no presence or member record is.
    pub fn peers<E: AsRef<[u8]>>(envelopes: impl IntoIterator<Item = E>) -> Result<Vec<Frame>, FrameTooLong> {
        let limit = Kind::Peers.limit();
        let mut frames = Vec::new();
        let mut body = BytesMut::new();
        for envelope in envelopes {
            let envelope = envelope.as_ref();
            if envelope.len() > limit {
                return Err(FrameTooLong { kind: Kind::Peers, len: envelope.len() });
            }
            if envelope.len() > limit.saturating_sub(body.len()) {
                frames.push(Frame::Peers(body.split().freeze()));
            }
            body.extend_from_slice(envelope);
        }
        frames.push(Frame::Peers(body.freeze()));
        Ok(frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn counts_stay_between_1_and_16_and_only_two_questions_are_known() {
        for (asked, sent) in [(0, 1), (1, 1), (16, 16), (17, 16), (255, 16)] {
            assert_eq!(PeersWanted::new(WhichPeers::RandomMembers, asked).count(), sent);
        }
        for which in 0..=u8::MAX {
            for count in 0..=u8::MAX {
                let read = PeersWanted::from_bytes([which, count]);
                assert_eq!(read.is_some(), which < 2 && (1..=16).contains(&count));
                assert!(read.is_none_or(|wanted| wanted.to_bytes() == [which, count]));
            }
        }
    }

    #[test]
    fn an_answer_is_spread_over_as_few_frames_as_hold_it() {
        assert_eq!(Frame::peers::<&[u8]>([]).unwrap(), [Frame::Peers(Bytes::new())]);
        let envelopes: Vec<Vec<u8>> = (0..64).map(|n| vec![n; 4_500]).collect();
        let frames = Frame::peers(&envelopes).unwrap();
        assert_eq!(frames.len(), 4);
        let bodies: Vec<u8> = frames
            .iter()
            .flat_map(|frame| match frame {
                Frame::Peers(body) if body.len() <= Kind::Peers.limit() => body.to_vec(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(bodies, envelopes.concat());
        assert!(Frame::peers([vec![0; 73_728]]).is_ok());
        assert!(Frame::peers([vec![0; 73_729]]).is_err());
    }
}
