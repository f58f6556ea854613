//! Lists of ids as they stand in frames: a view of the received bytes.

use std::fmt;
use std::marker::PhantomData;

use bytes::{Bytes, BytesMut};

use crate::envelope::{EnvelopeId, ShortId};
use crate::identity::NodeId;

/// A list of ids, each of the same length, one after another. Cloning and reading copy nothing.
///
/// A list that was decoded keeps the received bytes around it alive: whoever remembers ids for longer copies them out.
#[derive(Clone)]
pub struct IdList<T> {
    bytes: Bytes,
    of: PhantomData<fn() -> T>,
}

/// What an [`IdList`] lists: [`EnvelopeId`], [`NodeId`] or [`ShortId`].
pub trait ListedId: sealed::Sealed + Copy {
    /// How many bytes each has.
    const LEN: usize;
    /// The ids that stand in these bytes one after another.
    fn read(bytes: &[u8]) -> impl ExactSizeIterator<Item = Self> + '_;
    /// Appends the id's bytes.
    fn write(&self, out: &mut BytesMut);
}

/// The body of HAVE, WANT and ABSENT.
pub type EnvelopeIds = IdList<EnvelopeId>;

/// The body of NEWS.
pub type ShortIds = IdList<ShortId>;

/// The body of MEMBERS_WANTED.
pub type NodeIds = IdList<NodeId>;

impl<T: ListedId> IdList<T> {
    /// The list in `bytes`; `None` if their number is no multiple of an id's length.
    pub fn from_bytes(bytes: Bytes) -> Option<Self> {
        bytes.len().is_multiple_of(T::LEN).then_some(IdList { bytes, of: PhantomData })
    }

    /// How many ids there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / T::LEN
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The ids in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = T> + '_ {
        T::read(&self.bytes)
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
        let mut bytes = BytesMut::with_capacity(ids.size_hint().0.saturating_mul(T::LEN));
        ids.for_each(|id| id.write(&mut bytes));
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
    const LEN: usize = 32;

    fn read(bytes: &[u8]) -> impl ExactSizeIterator<Item = Self> + '_ {
        bytes.as_chunks().0.iter().map(|id| EnvelopeId::from_bytes(*id))
    }

    fn write(&self, out: &mut BytesMut) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl ListedId for NodeId {
    const LEN: usize = 32;

    fn read(bytes: &[u8]) -> impl ExactSizeIterator<Item = Self> + '_ {
        bytes.as_chunks().0.iter().map(|id| NodeId::from_bytes(*id))
    }

    fn write(&self, out: &mut BytesMut) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl ListedId for ShortId {
    const LEN: usize = ShortId::LEN;

    fn read(bytes: &[u8]) -> impl ExactSizeIterator<Item = Self> + '_ {
        bytes.as_chunks().0.iter().map(|id| ShortId::from_bytes(*id))
    }

    fn write(&self, out: &mut BytesMut) {
        out.extend_from_slice(&self.to_bytes());
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::envelope::EnvelopeId {}
    impl Sealed for crate::envelope::ShortId {}
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
        let short: ShortIds = ids.iter().map(ShortId::from).collect();
        assert_eq!((short.len(), short.as_bytes().len()), (5, 40));
        assert!(short.iter().eq(ids.iter().map(ShortId::from)));
    }

    #[test]
    fn only_whole_ids_are_a_list() {
        for len in 0..200 {
            let list = NodeIds::from_bytes(Bytes::from(vec![1; len]));
            assert_eq!(list.map(|list| list.len()), (len % 32 == 0).then_some(len / 32));
            let short = ShortIds::from_bytes(Bytes::from(vec![1; len]));
            assert_eq!(short.map(|list| list.iter().len()), (len % 8 == 0).then_some(len / 8));
        }
    }

    #[test]
    fn a_decoded_list_copies_nothing() {
        let bytes = Bytes::from(vec![7; 96]);
        let list = EnvelopeIds::from_bytes(bytes.clone()).unwrap();
        assert_eq!(list.clone().as_bytes().as_ptr(), bytes.as_ptr());
    }
}
