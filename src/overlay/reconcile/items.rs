//! The ids that one session compares: sorted, cut to a window, digested.

use std::collections::BTreeSet;

use negentropy::{Bound, Error, Id, Item, NegentropyStorageBase};
use sha2::{Digest, Sha256};

use crate::envelope::{EnvelopeId, Timestamp};

/// The most ids of one window.
pub(super) const PART: usize = 32_768;
/// Ids that are passed over for one window.
const PASSED: usize = 2 * PART;

/// Ids with their times, in the order of (time, id), each once.
#[derive(Debug, Default)]
pub(super) struct Items(Vec<Item>);

/// The ids of a stretch of time.
#[derive(Debug, Default)]
pub(super) struct Window {
    pub(super) items: Items,
    /// The first microsecond of it.
    pub(super) from: u64,
    /// The first microsecond after it.
    pub(super) to: u64,
}

impl Window {
    /// The newest ids of the stretch from `from` to before `to`, at most `most`: as much of the stretch, from its end
    /// backwards, as holds no more. A microsecond is never divided, since a window has no finer ends; one that holds more
    /// than fit is compared by the lowest [`PART`] of its ids.
    ///
    /// `range` gives the ids between two times, oldest first, with whether they are compared; of those that are not, it
    /// passes over a bounded number, and the stretch ends there.
    pub(super) fn newest<I>(range: impl Fn(u64, u64) -> I, (from, to): (u64, u64), most: usize) -> Self
    where
        I: DoubleEndedIterator<Item = (Timestamp, EnvelopeId, bool)>,
    {
        let mut items = Vec::new();
        let mut cut = None;
        for (n, (time, id, is_compared)) in range(from, to).rev().enumerate() {
            if is_compared {
                items.push(item(time, id));
            }
            if items.len() > most || n >= PASSED {
                cut = Some(time.as_micros());
                break;
            }
        }
        let Some(cut) = cut else {
            items.reverse();
            return Window { items: Items(items), from, to };
        };
        let is_one_too_full = items.len() > most;
        items.retain(|item| item.timestamp > cut);
        items.reverse();
        if !items.is_empty() || (cut + 1 < to && !is_one_too_full) {
            return Window { items: Items(items), from: cut + 1, to };
        }
        let lowest = range(cut, cut + 1).take(PASSED).filter(|(_, _, is_compared)| *is_compared).take(PART);
        Window { items: Items(lowest.map(|(time, id, _)| item(time, id)).collect()), from: cut, to }
    }

    /// Leaves only what lies from `from` to before `to`.
    pub(super) fn narrow(&mut self, from: u64, to: u64) {
        (self.from, self.to) = (from, to);
        self.items.0.retain(|item| (from..to).contains(&item.timestamp));
    }
}

impl Items {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// SHA-256 of the ids in the order of their bytes.
    pub(super) fn digest(&self) -> [u8; 32] {
        digest(self.ids().collect())
    }

    /// The digest of what the other side has, if it has all of these but `have`, and `need` besides.
    pub(super) fn digest_of_others(&self, have: &[EnvelopeId], need: &[EnvelopeId]) -> [u8; 32] {
        let have: BTreeSet<&[u8; 32]> = have.iter().map(EnvelopeId::as_bytes).collect();
        let common = self.ids().filter(|id| !have.contains(id));
        digest(common.chain(need.iter().map(EnvelopeId::as_bytes)).collect())
    }

    /// The ids in the order of (time, id).
    pub(super) fn ids(&self) -> impl ExactSizeIterator<Item = &[u8; 32]> {
        self.0.iter().map(|item| item.id.as_bytes())
    }

    /// The time of the id at `place`.
    pub(super) fn time(&self, place: usize) -> Option<u64> {
        self.0.get(place).map(|item| item.timestamp)
    }

    /// The first time that is later than `time`.
    pub(super) fn time_after(&self, time: u64) -> Option<u64> {
        self.time(self.0.partition_point(|item| item.timestamp <= time))
    }

    #[cfg(test)]
    pub(super) fn of(ids: impl IntoIterator<Item = (u64, [u8; 32])>) -> Self {
        let mut items: Vec<Item> =
            ids.into_iter().map(|(time, id)| Item::with_timestamp_and_id(time, Id::from_byte_array(id))).collect();
        items.sort_unstable();
        items.dedup();
        Items(items)
    }
}

/// Ids that are hashed at a time.
const PIECE: usize = 256;

/// SHA-256 of these ids in the order of their bytes, each once.
fn digest(ids: Vec<&[u8; 32]>) -> [u8; 32] {
    // Most comparisons end in the first 8 bytes: these stand where they are compared.
    let key = |id: &[u8; 32]| id.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    let mut sorted: Vec<(u64, &[u8; 32])> = ids.into_iter().map(|id| (key(id), id)).collect();
    sorted.sort_unstable();
    sorted.dedup();
    let mut hash = Sha256::new();
    let mut piece = Vec::with_capacity(PIECE * 32);
    for ids in sorted.chunks(PIECE) {
        piece.clear();
        ids.iter().for_each(|(_, id)| piece.extend_from_slice(*id));
        hash.update(&piece);
    }
    hash.finalize().into()
}

fn item(time: Timestamp, id: EnvelopeId) -> Item {
    Item::with_timestamp_and_id(time.as_micros(), Id::from_byte_array(*id.as_bytes()))
}

impl NegentropyStorageBase for Items {
    fn size(&self) -> Result<usize, Error> {
        Ok(self.0.len())
    }

    fn get_item(&self, i: usize) -> Result<Option<Item>, Error> {
        Ok(self.0.get(i).copied())
    }

    fn iterate(
        &self,
        begin: usize,
        end: usize,
        cb: &mut dyn FnMut(Item, usize) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let range = self.0.get(begin..end).ok_or(Error::BadRange)?;
        for (item, place) in range.iter().zip(begin..) {
            if !cb(*item, place)? {
                break;
            }
        }
        Ok(())
    }

    fn find_lower_bound(&self, first: usize, last: usize, value: &Bound) -> usize {
        let range = self.0.get(first..last).unwrap_or_default();
        first + range.partition_point(|item| *item < value.item)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Times in microseconds, each with as many ids as it is named; those from 1,000 on are not compared.
    fn set(times: &[u64]) -> BTreeSet<(Timestamp, EnvelopeId, bool)> {
        let at = |(n, time): (usize, &u64)| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&n.to_be_bytes());
            (Timestamp::from_micros(*time % 1_000).unwrap(), EnvelopeId::from_bytes(id), *time < 1_000)
        };
        times.iter().enumerate().map(at).collect()
    }

    fn newest(times: &[u64], from: u64, to: u64, most: usize) -> (Vec<u64>, u64, u64) {
        let set = set(times);
        let range = |from, to| {
            let between = set.iter().filter(move |(time, ..)| (from..to).contains(&time.as_micros()));
            between.copied().collect::<Vec<_>>().into_iter()
        };
        let window = Window::newest(range, (from, to), most);
        let times = (0..window.items.len()).map(|place| window.items.time(place).unwrap()).collect();
        (times, window.from, window.to)
    }

    #[test]
    fn a_window_holds_the_newest_and_never_half_a_microsecond() {
        let times = [1, 2, 2, 2, 5, 6, 6, 9];
        assert_eq!(newest(&times, 0, 100, 8), (times.to_vec(), 0, 100));
        assert_eq!(newest(&times, 2, 9, 100), (vec![2, 2, 2, 5, 6, 6], 2, 9));
        assert_eq!(newest(&times, 0, 100, 3), (vec![6, 6, 9], 6, 100), "the fourth newest is of another time");
        assert_eq!(newest(&times, 0, 100, 2), (vec![9], 7, 100), "only one of two would have had room");
        assert_eq!(newest(&times, 0, 5, 2), (vec![2, 2, 2], 2, 5), "more in one microsecond than have room");
        assert_eq!(newest(&[7; 40_000], 0, 100, 2), (vec![7; PART], 7, 100), "and there no more than a part holds");
        assert_eq!(newest(&[], 3, 4, 2), (vec![], 3, 4));
    }

    #[test]
    fn what_is_not_compared_makes_windows_shorter_and_never_endless() {
        let mut times = vec![1_005; PASSED + 1];
        times.extend([3, 8]);
        assert_eq!(newest(&times, 0, 100, 9), (vec![8], 6, 100), "the rest comes in the next window");
        assert_eq!(newest(&times, 0, 8, 9), (vec![], 6, 8), "too many, in one microsecond");
        assert_eq!(newest(&times, 0, 6, 9), (vec![], 5, 6), "which is a window of its own");
        assert_eq!(newest(&times, 0, 5, 9), (vec![3], 0, 5));
    }

    #[test]
    fn the_digest_is_of_the_ids_in_the_order_of_their_bytes_whatever_their_times() {
        let items = Items::of([(5, [1; 32]), (4, [9; 32]), (5, [0; 32]), (4, [9; 32])]);
        let ordered = [[0; 32], [1; 32], [9; 32]].concat();
        assert_eq!(items.digest(), <[u8; 32]>::from(Sha256::digest(ordered)));
        let id = EnvelopeId::from_bytes;
        let ordered = [[0; 32], [5; 32], [9; 32]].concat();
        let others = items.digest_of_others(&[id([1; 32])], &[id([5; 32]), id([5; 32])]);
        assert_eq!(others, <[u8; 32]>::from(Sha256::digest(ordered)));
        assert_eq!((items.time_after(4), items.time_after(5)), (Some(5), None));
        let mut window = Window { items, from: 0, to: 10 };
        window.narrow(5, 6);
        assert_eq!((window.items.len(), window.from, window.to), (2, 5, 6));
    }
}
