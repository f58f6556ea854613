//! What strangers do to good bytes.

use proptest::prelude::*;

/// Changes that a stranger may make to good bytes: some are set, and the end is cut off or grows.
#[derive(Clone, Debug)]
pub(crate) struct Damage {
    pub(crate) set: Vec<(prop::sample::Index, u8)>,
    pub(crate) cut: Option<prop::sample::Index>,
    pub(crate) tail: Vec<u8>,
}

pub(crate) fn damage() -> impl Strategy<Value = Damage> {
    let byte = prop_oneof![Just(0), Just(1), Just(0xFF), any::<u8>()];
    let set = prop::collection::vec((any::<prop::sample::Index>(), byte), 0..4);
    let cut = prop::option::weighted(0.3, any::<prop::sample::Index>());
    let tail = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(any::<u8>(), 1..40)];
    (set, cut, tail).prop_map(|(set, cut, tail)| Damage { set, cut, tail })
}

impl Damage {
    pub(crate) fn to(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for (at, byte) in &self.set {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
        }
        if let Some(cut) = self.cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        bytes.extend_from_slice(&self.tail);
        bytes
    }
}
