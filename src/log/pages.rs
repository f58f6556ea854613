//! Values by position, close together: positions are given one after another, so a tree of single entries would mostly
//! hold its own nodes.

use std::collections::BTreeMap;

/// Positions that share a page.
const PAGE: usize = 64;

/// A map from positions to values. A page goes when nothing is left on it, so that gaps of dropped positions cost nothing
/// in the long run.
#[derive(Debug)]
pub(super) struct Pages<T> {
    pages: BTreeMap<u64, Page<T>>,
    len: usize,
}

#[derive(Debug)]
struct Page<T> {
    used: usize,
    /// Grows up to [`PAGE`] as positions come.
    slots: Vec<Option<T>>,
}

fn place(position: u64) -> (u64, usize) {
    // The remainder is less than PAGE.
    (position / PAGE as u64, (position % PAGE as u64) as usize)
}

impl<T> Pages<T> {
    pub(super) fn new() -> Self {
        Pages { pages: BTreeMap::new(), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The lowest position that has a value.
    pub(super) fn first(&self) -> Option<u64> {
        self.after(None).next().map(|(position, _)| position)
    }

    pub(super) fn get(&self, position: u64) -> Option<&T> {
        let (page, slot) = place(position);
        self.pages.get(&page)?.slots.get(slot)?.as_ref()
    }

    #[cfg(feature = "disk")]
    pub(super) fn get_mut(&mut self, position: u64) -> Option<&mut T> {
        let (page, slot) = place(position);
        self.pages.get_mut(&page)?.slots.get_mut(slot)?.as_mut()
    }

    /// The values after `position`, or all, in order.
    pub(super) fn after(&self, position: Option<u64>) -> impl Iterator<Item = (u64, &T)> + '_ {
        let from = position.map_or(0, |position| position.saturating_add(1));
        let (first, skipped) = place(from);
        self.pages.range(first..).flat_map(move |(page, Page { slots, .. })| {
            let skip = if *page == first { skipped } else { 0 };
            let start = page * PAGE as u64;
            let slots = slots.iter().enumerate().skip(skip);
            slots.filter_map(move |(slot, value)| Some((start + slot as u64, value.as_ref()?)))
        })
    }

    pub(super) fn insert(&mut self, position: u64, value: T) {
        let (page, slot) = place(position);
        let page = self.pages.entry(page).or_insert_with(|| Page { used: 0, slots: Vec::with_capacity(PAGE) });
        if page.slots.len() <= slot {
            page.slots.resize_with(slot + 1, || None);
        }
        if page.slots[slot].replace(value).is_none() {
            page.used += 1;
            self.len += 1;
        }
    }

    pub(super) fn remove(&mut self, position: u64) -> Option<T> {
        let (number, slot) = place(position);
        let page = self.pages.get_mut(&number)?;
        let value = page.slots.get_mut(slot)?.take()?;
        (page.used, self.len) = (page.used - 1, self.len - 1);
        if page.used == 0 {
            self.pages.remove(&number);
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pages_that_are_empty_are_gone() {
        let mut pages = Pages::new();
        (1..=1000).for_each(|position| pages.insert(position, position));
        for position in (1..=1000).filter(|position| position % 100 != 7) {
            assert_eq!(pages.remove(position), Some(position));
        }
        assert_eq!((pages.len(), pages.first(), pages.pages.len()), (10, Some(7), 10));
    }

    proptest! {
        #[test]
        fn they_hold_what_a_tree_would(acts in prop::collection::vec((0_u64..300, any::<bool>()), 0..400), from in 0_u64..300) {
            let (mut pages, mut tree) = (Pages::new(), BTreeMap::new());
            for (position, insert) in acts {
                if insert {
                    pages.insert(position, position);
                    tree.insert(position, position);
                } else {
                    prop_assert_eq!(pages.remove(position), tree.remove(&position));
                }
            }
            prop_assert_eq!(pages.len(), tree.len());
            prop_assert_eq!(pages.first(), tree.keys().next().copied());
            prop_assert_eq!(pages.get(from), tree.get(&from));
            let after: Vec<u64> = pages.after(Some(from)).map(|(position, _)| position).collect();
            prop_assert_eq!(after, tree.range(from + 1..).map(|(position, _)| *position).collect::<Vec<_>>());
        }
    }
}
