//! What was seen: the one memory that decides whether an envelope is new.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use crate::envelope::{Envelope, EnvelopeId, Lifetime, ShortId, Timestamp};
use crate::identity::NodeId;

use super::by_time::ByTime;
use super::newest_ids::NewestIds;
use super::presence::{LEAVE_TITLE, PRESENCE_TITLE, fills_slot};
use super::recent_ids::RecentIds;
use super::{Reason, Seen, TIME_TOLERANCE};

/// How long an id is remembered after its envelope stopped being live. Longer than any two honest clocks differ.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Ids die in groups of ten seconds: one look at the clock for many.
const EXPIRY_STEP_MICROS: u64 = 10_000_000;

/// For one presence in so many ids there is room for certain: with a million ids enough for the busiest network in seven
/// hours, and no presence lives longer than six.
const PASSING: usize = 4;

/// What became of a verified envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It is being judged now; copies are duplicates already.
    Claimed,
    /// Kept, relayed, delivered.
    Accepted,
    /// Neither relayed nor delivered, and not asked for again.
    Refused,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    time: Timestamp,
    sender: NodeId,
    judgement: Judgement,
}

/// Every id whose envelope verified, until `time + max(L, 120 s) + 600 s` (protocol, section 4); presences and leaves, whose
/// order the member table knows, only as long as there is room.
#[derive(Debug)]
pub(super) struct Index {
    // Looked up for every copy of every envelope; its order can influence nothing.
    entries: HashMap<EnvelopeId, Entry, IdHash>,
    /// Presences and leaves.
    passing: NewestIds,
    /// The newest of all but presences.
    recent: RecentIds,
    by_time: ByTime,
    by_expiry: BTreeMap<u64, Vec<EnvelopeId>>,
    per_sender: BTreeMap<NodeId, usize>,
    capacity: usize,
    floor: Timestamp,
    /// What was dropped for want of room lies before this.
    forgotten: Timestamp,
}

impl Index {
    /// An empty index of at most `capacity` ids that knows nothing older than `floor`.
    pub(super) fn new(capacity: usize, floor: Timestamp, hash_key: [u64; 2]) -> Self {
        Index {
            entries: HashMap::with_hasher(IdHash(hash_key)),
            passing: NewestIds::new(capacity / PASSING, IdHash(hash_key)),
            recent: RecentIds::new(IdHash(hash_key)),
            by_time: ByTime::default(),
            by_expiry: BTreeMap::new(),
            per_sender: BTreeMap::new(),
            capacity: capacity.max(8),
            floor,
            forgotten: Timestamp::default(),
        }
    }

    /// Whether the id was seen.
    pub(super) fn contains(&self, id: &EnvelopeId) -> bool {
        self.entries.contains_key(id) || self.passing.contains(id)
    }

    /// The id that one of the newest envelopes was seen under, presences left out.
    pub(super) fn newest(&self, short: ShortId) -> Option<EnvelopeId> {
        self.recent.get(short)
    }

    /// Whether the envelope with this id was accepted; of presences and leaves that is not known here.
    pub(super) fn accepted(&self, id: &EnvelopeId) -> bool {
        self.entries.get(id).is_some_and(|entry| entry.judgement == Judgement::Accepted)
    }

    /// The time before which this index cannot tell what was seen.
    pub(super) fn floor(&self) -> Timestamp {
        self.floor
    }

    /// How many ids are remembered.
    pub(super) fn len(&self) -> usize {
        self.entries.len() + self.passing.len()
    }

    /// Whether one more id of `sender` is within its share, an eighth of the whole.
    pub(super) fn has_room_for(&self, sender: &NodeId) -> Result<(), Reason> {
        let share = self.capacity / 8;
        if self.per_sender.get(sender).is_some_and(|count| *count >= share) {
            return Err(Reason::SenderOverShare);
        }
        Ok(())
    }

    /// Remembers a verified envelope as claimed. A full index forgets its oldest id and raises the floor above it, so
    /// that what was forgotten cannot come back as new.
    pub(super) fn claim(&mut self, envelope: &Envelope, keep: Duration) {
        if envelope.title() != PRESENCE_TITLE {
            self.recent.insert(envelope.id());
        }
        if matches!(envelope.title(), PRESENCE_TITLE | LEAVE_TITLE) {
            self.passing.insert(&envelope.id());
            return;
        }
        let (time, sender) = (envelope.time(), envelope.sender());
        let entry = Entry { time, sender, judgement: Judgement::Claimed };
        self.insert(envelope.id(), entry, envelope.lifetime(), keep, !fills_slot(envelope.title()));
    }

    /// Knows an envelope again that was accepted in a former run.
    pub(super) fn remember(&mut self, seen: &Seen, keep: Duration) {
        let Seen { id, sender, time, lifetime } = *seen;
        let entry = Entry { time, sender, judgement: Judgement::Accepted };
        self.insert(id, entry, lifetime, keep, true);
    }

    fn insert(&mut self, id: EnvelopeId, entry: Entry, lifetime: Lifetime, keep: Duration, is_message: bool) {
        let Entry { time, sender, .. } = entry;
        if self.entries.insert(id, entry).is_some() {
            return;
        }
        let lives = live_until(time, lifetime, keep);
        let is_compared = is_message && !lifetime.is_live_only();
        self.by_time.insert((time, id), is_compared.then_some(lives));
        let dies = lives.plus(REMEMBERED);
        self.by_expiry.entry(dies.as_micros() / EXPIRY_STEP_MICROS + 1).or_default().push(id);
        *self.per_sender.entry(sender).or_default() += 1;
        while self.entries.len() > self.capacity {
            let Some((time, oldest)) = self.by_time.pop_first() else { break };
            self.forgotten = self.forgotten.max(time.plus(Duration::from_micros(1)));
            self.floor = self.floor.max(self.forgotten);
            self.forget(&oldest);
        }
    }

    /// Notes what became of a claimed id.
    pub(super) fn judge(&mut self, id: &EnvelopeId, judgement: Judgement) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.judgement = judgement;
        }
    }

    /// Everybody of whom something is remembered.
    pub(super) fn senders(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.per_sender.keys().copied()
    }

    /// Refuses after all what was accepted of those whom `takes` names with its time; gives it in the order of senders.
    pub(super) fn refuse_those(&mut self, takes: impl Fn(&NodeId, Timestamp) -> bool) -> Vec<(NodeId, EnvelopeId)> {
        let mut refused = Vec::new();
        for (id, entry) in &mut self.entries {
            if entry.judgement == Judgement::Accepted && takes(&entry.sender, entry.time) {
                entry.judgement = Judgement::Refused;
                refused.push((entry.sender, *id));
            }
        }
        // The table has no order; what is done with it afterwards has one.
        refused.sort_unstable();
        refused
    }

    /// Forgets an id before its time: it may come again as new.
    pub(super) fn release(&mut self, id: &EnvelopeId) {
        self.passing.remove(id);
        self.recent.remove(id);
        if let Some(entry) = self.entries.get(id) {
            self.by_time.remove(&(entry.time, *id));
            self.forget(id);
        }
    }

    /// Begins at `floor`, unless it had to forget more: an index that was there before goes on from where it began.
    pub(super) fn set_floor(&mut self, floor: Timestamp) {
        self.floor = floor.max(self.forgotten);
    }

    /// Forgets what has been dead for ten minutes. `now` never goes back.
    pub(super) fn expire(&mut self, now: Timestamp, keep: Duration) {
        self.floor = self.floor.max(now.minus(keep.max(TIME_TOLERANCE)));
        while let Some(group) = self.by_expiry.first_entry() {
            if *group.key() > now.as_micros() / EXPIRY_STEP_MICROS {
                break;
            }
            for id in group.remove() {
                if let Some(entry) = self.entries.get(&id) {
                    self.by_time.remove(&(entry.time, id));
                    self.forget(&id);
                }
            }
        }
    }

    /// The ids of kept messages with a time from `from` to before `to`, whatever became of them, in the order of (time, id);
    /// with each, whether it lives until `alive` at least.
    pub(super) fn messages(
        &self,
        from: Timestamp,
        to: Timestamp,
        alive: Timestamp,
    ) -> impl DoubleEndedIterator<Item = (Timestamp, EnvelopeId, bool)> + '_ {
        self.by_time.compared(from, to).map(move |((time, id), lives)| (time, id, lives >= alive))
    }

    /// The newest ids of kept messages that were accepted, newest first.
    pub(super) fn newest_kept(&self, count: usize) -> impl Iterator<Item = EnvelopeId> + '_ {
        let all = self.messages(Timestamp::default(), Timestamp::MAX, Timestamp::default());
        all.rev().map(|(_, id, _)| id).filter(|id| self.accepted(id)).take(count)
    }

    fn forget(&mut self, id: &EnvelopeId) {
        let Some(entry) = self.entries.remove(id) else { return };
        if let Some(count) = self.per_sender.get_mut(&entry.sender) {
            *count -= 1;
            if *count == 0 {
                self.per_sender.remove(&entry.sender);
            }
        }
    }
}

/// Until when an envelope is live: `time + max(min(lifetime, keep), 120 s)`.
pub(super) fn live_until(time: Timestamp, lifetime: Lifetime, keep: Duration) -> Timestamp {
    time.plus(Duration::from(lifetime).min(keep).max(TIME_TOLERANCE))
}

/// Hashes ids for the table. Ids are SHA-256 values that a sender can grind; the secret key makes that useless for
/// aiming at one place of the table. (std's default costs several times as much, on every copy of every envelope.)
#[derive(Clone, Debug)]
pub(super) struct IdHash([u64; 2]);

impl IdHash {
    /// With a key that nobody else knows.
    pub(super) fn new(key: [u64; 2]) -> Self {
        IdHash(key)
    }
}

impl BuildHasher for IdHash {
    type Hasher = FoldedHasher;

    fn build_hasher(&self) -> FoldedHasher {
        FoldedHasher { state: self.0[0], key: self.0[1] | 1 }
    }
}

#[derive(Debug)]
pub(super) struct FoldedHasher {
    state: u64,
    key: u64,
}

impl Hasher for FoldedHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(self.key);
        self.state = (product as u64) ^ ((product >> 64) as u64);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::envelope::{Draft, Open, Scheme, Verified};
    use crate::identity::NetworkHash;
    use crate::overlay::PRESENCE_TITLE;

    const KEEP: Duration = Duration::from_secs(3600);
    const START: u64 = 1_000_000_000_000;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_micros(START + second * 1_000_000).unwrap()
    }

    fn envelope(sender: u8, second: u64, lifetime: u32) -> Verified<Envelope> {
        let network = NetworkHash::plain(&"t".parse().unwrap());
        let scheme = Open::new(network, NodeId::from_bytes([sender; 32]));
        let (title, message) = ("t".parse().unwrap(), Bytes::new());
        scheme.publish(&Draft { title, message, time: at(second), lifetime: Lifetime::secs(lifetime) }).unwrap()
    }

    fn index(capacity: usize) -> Index {
        Index::new(capacity, at(0), [1, 2])
    }

    #[test]
    fn an_id_is_remembered_ten_minutes_longer_than_its_envelope_lives() {
        let mut index = index(100);
        let (short, long) = (envelope(1, 0, 0), envelope(2, 0, 1000));
        index.claim(&short, KEEP);
        index.claim(&long, KEEP);
        index.expire(at(720), KEEP);
        assert!(index.contains(&short.id()));
        index.expire(at(731), KEEP);
        assert!(!index.contains(&short.id()) && index.contains(&long.id()));
        index.expire(at(1611), KEEP);
        assert_eq!((index.len(), index.by_time.len(), index.per_sender.len()), (0, 0, 0));
    }

    #[test]
    fn what_a_full_index_forgets_lies_below_its_floor() {
        let mut index = index(8);
        for second in 0..20 {
            index.claim(&envelope(second as u8, second, 60), KEEP);
        }
        assert_eq!(index.len(), 8);
        assert!(index.floor() > at(11) && index.floor() <= at(12));
    }

    #[test]
    fn one_sender_gets_an_eighth() {
        let mut index = index(16);
        let sender = NodeId::from_bytes([1; 32]);
        for second in 0..2 {
            assert_eq!(index.has_room_for(&sender), Ok(()));
            index.claim(&envelope(1, second, 60), KEEP);
        }
        assert_eq!(index.has_room_for(&sender), Err(Reason::SenderOverShare));
        assert_eq!(index.has_room_for(&NodeId::from_bytes([2; 32])), Ok(()));
    }

    #[test]
    fn what_is_released_may_come_again_and_what_is_remembered_may_not() {
        let mut index = index(100);
        let envelope = envelope(1, 5, 60);
        index.claim(&envelope, KEEP);
        index.release(&envelope.id());
        assert_eq!((index.contains(&envelope.id()), index.len(), index.by_time.len()), (false, 0, 0));
        let (id, sender, time, lifetime) = (envelope.id(), envelope.sender(), envelope.time(), envelope.lifetime());
        index.remember(&Seen { id, sender, time, lifetime }, KEEP);
        assert!(index.accepted(&id));
        index.expire(at(800), KEEP);
        assert_eq!((index.len(), index.by_time.len(), index.per_sender.len()), (0, 0, 0));
    }

    #[test]
    fn compared_is_what_is_kept_and_lives_long_enough_whatever_became_of_it() {
        let mut index = index(100);
        let made: Vec<_> = [(1, 600), (2, 0), (3, 600), (4, 10)].map(|(s, l)| envelope(1, s, l)).into();
        made.iter().for_each(|envelope| index.claim(envelope, KEEP));
        let title = PRESENCE_TITLE.parse().unwrap();
        let network = NetworkHash::plain(&"t".parse().unwrap());
        let draft = Draft { title, message: Bytes::new(), time: at(3), lifetime: Lifetime::secs(600) };
        let slot = Open::new(network, NodeId::from_bytes([1; 32])).publish(&draft).unwrap();
        index.claim(&slot, KEEP);
        index.judge(&made[0].id(), Judgement::Refused);
        let named = |from, to, alive| {
            let all = index.messages(from, to, alive).filter(|(_, _, lives)| *lives);
            all.map(|(_, id, _)| id).collect::<Vec<_>>()
        };
        assert_eq!(named(at(0), at(9), at(0)), [made[0].id(), made[2].id(), made[3].id()]);
        assert_eq!(named(at(1), at(4), at(0)), [made[0].id(), made[2].id()]);
        assert_eq!(named(at(0), at(9), at(602)), [made[2].id()], "it lives 600 s, the first one a second too short");
        assert_eq!(named(at(0), at(9), at(125)), [made[0].id(), made[2].id()], "120 s is the least that is lived");
        assert_eq!(named(at(9), at(0), at(0)), []);
        assert!(named(at(0), Timestamp::default(), Timestamp::default()).is_empty());
    }

    #[test]
    fn only_accepted_and_kept_ids_are_named_newest_first() {
        let mut index = index(100);
        let made: Vec<_> = [(1, 60), (2, 0), (3, 60), (4, 60)].map(|(s, l)| envelope(1, s, l)).into();
        for (n, envelope) in made.iter().enumerate() {
            index.claim(envelope, KEEP);
            index.judge(&envelope.id(), if n == 3 { Judgement::Refused } else { Judgement::Accepted });
        }
        assert_eq!(index.newest_kept(9).collect::<Vec<_>>(), [made[2].id(), made[0].id()]);
    }
}
