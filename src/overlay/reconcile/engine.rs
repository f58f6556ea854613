//! Negentropy, protocol version 1, over the ids of one window.

use bytes::Bytes;
use negentropy::{Error, Id, Negentropy};

use crate::envelope::EnvelopeId;
use crate::wire::Reconcile;

use super::items::Items;

/// The first byte of every message.
const VERSION: u8 = negentropy::PROTOCOL_VERSION as u8;

/// What the opener learns from an answer.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Ids that the responder lacks.
    pub(super) have: Vec<EnvelopeId>,
    /// Ids that the opener lacks, sorted.
    pub(super) need: Vec<EnvelopeId>,
    /// The next question, if anything is left to ask.
    pub(super) next: Option<Bytes>,
}

/// The opener's first message.
pub(super) fn first(items: &Items) -> Result<Bytes, Error> {
    Ok(engine(items)?.initiate()?.into())
}

/// The responder's answer. It keeps nothing from one message to the next.
pub(super) fn answer(items: &Items, query: &[u8]) -> Result<Bytes, Error> {
    Ok(engine(items)?.reconcile(query)?.into())
}

/// What an answer says to the opener.
pub(super) fn found(items: &Items, answer: &[u8]) -> Result<Found, Error> {
    let mut engine = engine(items)?;
    engine.set_initiator();
    let (mut have, mut need) = (Vec::new(), Vec::new());
    let next = engine.reconcile_with_ids(answer, &mut have, &mut need)?;
    let mut need: Vec<EnvelopeId> = need.into_iter().map(id).collect();
    need.sort_unstable();
    need.dedup();
    Ok(Found { have: have.into_iter().map(id).collect(), need, next: next.map(Bytes::from) })
}

/// A message that lists all ids: a single range without end, in the mode "ids". Whoever gets it answers with a list too,
/// so nothing depends on fingerprints.
pub(super) fn list(items: &Items) -> Bytes {
    let mut message = vec![VERSION, 0, 0, 2];
    message.extend(var_int(items.len()));
    items.ids().for_each(|id| message.extend_from_slice(id));
    message.into()
}

/// Base 128, most significant digit first, the top bit set in all but the last.
fn var_int(n: usize) -> Vec<u8> {
    let mut digits = vec![(n & 0x7F) as u8];
    let mut rest = n >> 7;
    while rest > 0 {
        digits.push((rest & 0x7F) as u8 | 0x80);
        rest >>= 7;
    }
    digits.reverse();
    digits
}

fn engine(items: &Items) -> Result<Negentropy<'_, Items>, Error> {
    Negentropy::borrowed(items, Reconcile::MAX_MESSAGE as u64)
}

fn id(id: Id) -> EnvelopeId {
    EnvelopeId::from_bytes(id.to_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;

    fn items(ids: impl IntoIterator<Item = u32>) -> Items {
        Items::of(ids.into_iter().map(|n| (u64::from(n / 3), Sha256::digest(n.to_be_bytes()).into())))
    }

    /// Everything that is found, and the longest message.
    fn compare(ours: &Items, theirs: &Items, mut message: Bytes) -> (usize, usize, usize) {
        let (mut have, mut need, mut longest, mut rounds) = (0, 0, 0, 0);
        loop {
            let answer = answer(theirs, &message).unwrap();
            longest = longest.max(message.len()).max(answer.len());
            let found = found(ours, &answer).unwrap();
            (have, need, rounds) = (have + found.have.len(), need + found.need.len(), rounds + 1);
            match found.next {
                Some(next) if rounds < 64 => message = next,
                Some(_) => panic!("no end"),
                None => return (have, need, longest),
            }
        }
    }

    #[test]
    fn differences_of_any_size_are_found_in_messages_within_the_limit() {
        for (ours, theirs, have, need) in [
            (0..0, 0..0, 0, 0),
            (0..0, 0..32_768, 0, 32_768),
            (0..16_384, 0..0, 16_384, 0),
            (0..16_384, 0..26_384, 0, 10_000),
            (0..20_000, 10_000..30_000, 10_000, 10_000),
        ] {
            let (ours, theirs) = (items(ours), items(theirs));
            let (h, n, longest) = compare(&ours, &theirs, first(&ours).unwrap());
            assert_eq!((h, n), (have, need));
            assert!(longest <= Reconcile::MAX_MESSAGE, "{longest}");
        }
    }

    #[test]
    fn a_plain_list_finds_what_fingerprints_hide() {
        // The sums of both sets are equal: one id is higher by as much as the other is lower.
        let common = 0..600_u32;
        let with = |a: u8, b: u8| {
            let pair = [(9_999, [a; 32]), (9_999, [b; 32])];
            Items::of(
                common.clone().map(|n| (u64::from(n), [n.to_be_bytes(); 8].concat().try_into().unwrap())).chain(pair),
            )
        };
        let (ours, theirs) = (with(40, 60), with(45, 55));
        assert_ne!(ours.digest(), theirs.digest());
        assert_eq!(compare(&ours, &theirs, first(&ours).unwrap()).0, 0, "the sums are not equal");
        let (have, need, _) = compare(&ours, &theirs, list(&ours));
        assert_eq!((have, need), (2, 2));
    }

    #[test]
    fn numbers_are_written_as_negentropy_reads_them() {
        for (n, expected) in [(0, &[0][..]), (127, &[127]), (128, &[0x81, 0]), (1_000, &[0x87, 0x68])] {
            assert_eq!(var_int(n), expected);
        }
    }

    proptest! {
        #[test]
        fn hostile_messages_never_panic_and_are_answered_within_the_limit(
            bytes in proptest::collection::vec(any::<u8>(), 0..2_000),
            count in 0..500_u32,
        ) {
            let items = items(0..count);
            let message = [&[VERSION], &bytes[..]].concat();
            for message in [&bytes, &message] {
                if let Ok(answer) = answer(&items, message) {
                    prop_assert!(answer.len() <= Reconcile::MAX_MESSAGE);
                }
                if let Ok(found) = found(&items, message) {
                    prop_assert!(found.need.len() * 32 <= message.len());
                    prop_assert!(found.next.is_none_or(|next| next.len() <= Reconcile::MAX_MESSAGE));
                }
            }
        }

        #[test]
        fn both_sides_differences_are_found_exactly(
            ours in proptest::collection::btree_set(0..2_000_u32, 0..400),
            theirs in proptest::collection::btree_set(0..2_000_u32, 0..400),
        ) {
            let (have, need) = (ours.difference(&theirs).count(), theirs.difference(&ours).count());
            let (ours, theirs) = (items(ours), items(theirs));
            let (h, n, _) = compare(&ours, &theirs, first(&ours).unwrap());
            prop_assert_eq!((h, n), (have, need));
        }
    }
}
