//! Who else has a broadcast: what a node can know of its neighbours without asking them.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::envelope::{Envelope, EnvelopeId, Timestamp, Title};
use crate::identity::NodeId;

use super::index::{IdHash, live_until};
use super::output::LinkId;
use super::{Core, Now, TIME_TOLERANCE};

/// Of the node's own broadcasts the newest so many are followed, and so many of the others'.
const OWN: usize = 4096;
const OTHERS: usize = 1024;
/// Neighbours that are remembered for one broadcast.
const MOST_HOLDERS: usize = 64;
/// Spans of time that are remembered as equal for one link.
const MOST_SPANS: usize = 32;

/// How a node knows that a neighbour has a broadcast. The later ones are the surer ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Held {
    /// It was sent over a link that is still open.
    Handed,
    /// It asked for it and was served.
    Asked,
    /// Repair found that it knows exactly what this node knows of the time in which the broadcast was made. (It has judged
    /// it; what it does not want it knows without keeping it.)
    Equal,
    /// It sent or announced it here.
    Announced,
}

/// A neighbour that has a broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder {
    /// Who.
    pub peer: NodeId,
    /// How this node knows.
    pub how: Held,
}

/// What is known of the newest broadcasts.
#[derive(Debug)]
pub(super) struct Holders {
    // Looked up for every announcement, never iterated: its order can influence nothing.
    known: HashMap<EnvelopeId, Vec<(LinkId, Held)>, IdHash>,
    own: VecDeque<EnvelopeId>,
    others: VecDeque<EnvelopeId>,
}

impl Holders {
    pub(super) fn new(hash: IdHash) -> Self {
        Holders { known: HashMap::with_hasher(hash), own: VecDeque::new(), others: VecDeque::new() }
    }

    /// Follows an application's broadcast that was accepted. `brought`: who has it already.
    pub(super) fn add(&mut self, envelope: &Envelope, own: NodeId, brought: &[LinkId]) {
        if envelope.title().starts_with(Title::PROTOCOL_PREFIX) {
            // Nobody asks who has a presence, and there are more of them than of anything else.
            return;
        }
        let id = envelope.id();
        let brought = brought.iter().take(MOST_HOLDERS).map(|link| (*link, Held::Announced)).collect();
        if self.known.insert(id, brought).is_some() {
            return;
        }
        let (queue, most) = if envelope.sender() == own { (&mut self.own, OWN) } else { (&mut self.others, OTHERS) };
        queue.push_back(id);
        if queue.len() > most
            && let Some(oldest) = queue.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Notes what shows that the neighbour at the other end of a link has a broadcast.
    pub(super) fn note(&mut self, id: &EnvelopeId, link: LinkId, how: Held) {
        let Some(holders) = self.known.get_mut(id) else { return };
        if let Some((_, known)) = holders.iter_mut().find(|(other, _)| *other == link) {
            *known = how.max(*known);
        } else if holders.len() < MOST_HOLDERS {
            holders.push((link, how));
        }
    }

    fn of(&self, id: &EnvelopeId, link: LinkId) -> Option<Held> {
        self.known.get(id)?.iter().find(|(other, _)| *other == link).map(|(_, how)| *how)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

/// The times for which a neighbour is known to know what this node knows: disjoint, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Equal(Vec<Span>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    from: Timestamp,
    /// The first moment that does not belong to it.
    to: Timestamp,
    /// When it was found.
    found: Timestamp,
}

impl Equal {
    /// Notes that both nodes knew the same of the times in [from, to).
    fn note(&mut self, from: Timestamp, to: Timestamp, found: Timestamp) {
        if from >= to {
            return;
        }
        let mut merged = Span { from, to, found };
        self.0.retain(|span| {
            let touches = span.from <= merged.to && merged.from <= span.to;
            if touches {
                // The later finding counts for both: it compared fewer of those that die soon.
                merged = Span {
                    from: merged.from.min(span.from),
                    to: merged.to.max(span.to),
                    found: merged.found.max(span.found),
                };
            }
            !touches
        });
        let place = self.0.partition_point(|span| span.from < merged.from);
        self.0.insert(place, merged);
        if self.0.len() > MOST_SPANS {
            self.0.remove(0);
        }
    }

    /// Something was learnt of the time `at`: there this node knows more now than it did when it compared.
    pub(super) fn learnt(&mut self, at: Timestamp) {
        // News are younger than everything that was compared.
        let Some(place) = self.0.iter().rposition(|span| span.from <= at) else { return };
        let Some(span) = self.0.get(place).copied().filter(|span| at < span.to) else { return };
        let after = at.plus(Duration::from_micros(1));
        let halves = [Span { to: at, ..span }, Span { from: after, ..span }];
        self.0.splice(place..=place, halves.into_iter().filter(|half| half.from < half.to));
        if self.0.len() > MOST_SPANS {
            self.0.remove(0);
        }
    }

    /// Whether an envelope of this time, which dies at `dies`, was among what was compared.
    fn covers(&self, time: Timestamp, dies: Timestamp) -> bool {
        self.0.iter().any(|span| span.from <= time && time < span.to && dies >= span.found.plus(TIME_TOLERANCE))
    }
}

impl Core {
    /// Notes that a comparison found this node and the one at the other end of `link` to know the same envelopes of the
    /// times in [`from`, `to`), those left out that live for less than two minutes from now or for their moment only.
    pub fn note_equal(&mut self, now: Now, link: LinkId, from: Timestamp, to: Timestamp) {
        if let Some(link) = self.links.get_mut(&link) {
            link.equal.note(from, to, now.wall);
        }
    }

    /// The neighbours that have a broadcast, as far as this node knows. `kept`: the broadcast, if this node's log holds it.
    ///
    /// Followed one by one are the newest 4,096 broadcasts of the node's own and the newest 1,024 of others; of older ones
    /// it knows what repair compared.
    pub fn holders(&self, id: &EnvelopeId, kept: Option<&Envelope>) -> Vec<Holder> {
        let compared = kept
            .filter(|envelope| !envelope.lifetime().is_live_only())
            .map(|envelope| (envelope.time(), live_until(envelope.time(), envelope.lifetime(), self.settings.keep)));
        let open = self.links.iter().filter(|(_, link)| !link.closing);
        open.filter_map(|(link, state)| {
            let equal = compared.filter(|(time, dies)| state.equal.covers(*time, *dies)).map(|_| Held::Equal);
            let how = self.holders.of(id, *link).max(equal)?;
            Some(Holder { peer: state.peer, how })
        })
        .collect()
    }

    /// An envelope of this time was accepted: whatever was compared before did not cover it.
    pub(super) fn learnt_of(&mut self, time: Timestamp) {
        for link in self.links.values_mut() {
            link.equal.learnt(time);
        }
    }
}
