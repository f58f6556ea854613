//! Lists of ids as they stand in frames: a view of the received bytes.

use std::fmt;
use std::marker::PhantomData;

use bytes::{Bytes, BytesMut};

use crate::envelope::EnvelopeId;
use crate::identity::NodeId;

/// A list of ids, 32 bytes each, one after another. Cloning and reading copy nothing.
///
/// A list that was decoded keeps the received bytes around it alive: whoever remembers ids for longer copies them out.
#[derive(Clone)]
pub struct IdList<T> {
    bytes: Bytes,
    of: PhantomData<fn() -> T>,
}

/// What an [`IdList`] lists: [`EnvelopeId`] or [`NodeId`].
pub trait ListedId: sealed::Sealed + Copy {
    /// The id with these bytes.
    fn from_bytes(bytes: [u8; 32]) -> Self;
    /// The id's bytes.
    fn as_bytes(&self) -> &[u8; 32];
}

/// The body of HAVE, WANT and ABSENT.
pub type EnvelopeIds = IdList<EnvelopeId>;

/// The body of MEMBERS_WANTED.
pub type NodeIds = IdList<NodeId>;

const LEN: usize = 32;

impl<T: ListedId> IdList<T> {
    /// The list in `bytes`; `None` if their number is no multiple of 32.
    pub fn from_bytes(bytes: Bytes) -> Option<Self> {
        bytes.len().is_multiple_of(LEN).then_some(IdList { bytes, of: PhantomData })
    }

    /// How many ids there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / LEN
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The ids in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = T> + '_ {
        self.bytes.as_chunks::<LEN>().0.iter().map(|id| T::from_bytes(*id))
    }

    /// The ids' bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl<T: ListedId> FromIterator<T> for IdList<T> {
    /// Copies the ids into a list. It may be longer than any frame; encoding such a frame fails.
    fn from_iter<I: IntoIterator<Item = T>>(ids: I) -> Self {
        let ids = ids.into_iter();
        let mut bytes = BytesMut::with_capacity(ids.size_hint().0.saturating_mul(LEN));
        ids.for_each(|id| bytes.extend_from_slice(id.as_bytes()));
        IdList { bytes: bytes.freeze(), of: PhantomData }
    }
}

impl<T> PartialEq for IdList<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<T> Eq for IdList<T> {}

impl<T: ListedId + fmt::Debug> fmt::Debug for IdList<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl ListedId for EnvelopeId {
    fn from_bytes(bytes: [u8; 32]) -> Self {
        EnvelopeId::from_bytes(bytes)
    }

    fn as_bytes(&self) -> &[u8; 32] {
        EnvelopeId::as_bytes(self)
    }
}

impl ListedId for NodeId {
    fn from_bytes(bytes: [u8; 32]) -> Self {
        NodeId::from_bytes(bytes)
    }

    fn as_bytes(&self) -> &[u8; 32] {
        NodeId::as_bytes(self)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::envelope::EnvelopeId {}
    impl Sealed for crate::identity::NodeId {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_what_was_put_in() {
        let ids: Vec<_> = (0..5).map(|n| EnvelopeId::from_bytes([n; 32])).collect();
        let list: EnvelopeIds = ids.iter().copied().collect();
        assert_eq!((list.len(), list.is_empty(), list.as_bytes().len()), (5, false, 160));
        assert_eq!(list.iter().collect::<Vec<_>>(), ids);
        assert_eq!(NodeIds::from_iter([]).iter().next(), None);
    }

    #[test]
    fn only_whole_ids_are_a_list() {
        for len in 0..200 {
            let list = NodeIds::from_bytes(Bytes::from(vec![1; len]));
            assert_eq!(list.map(|list| list.len()), (len % 32 == 0).then_some(len / 32));
        }
    }

    #[test]
    fn a_decoded_list_copies_nothing() {
        let bytes = Bytes::from(vec![7; 96]);
        let list = EnvelopeIds::from_bytes(bytes.clone()).unwrap();
        assert_eq!(list.clone().as_bytes().as_ptr(), bytes.as_ptr());
    }
}
