//! Every state that can come about, and what must be so in each.

use std::collections::HashSet;

use super::lives::{Delivery, Life, LifeId, Lives, Part, Waits};
use super::*;
use crate::noise::Role;

/// What a search has seen.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) states: usize,
    pub(super) deliveries: u64,
    pub(super) judged: usize,
    pub(super) lives: usize,
    /// Sessions both ends of which have accepted and heard each other, at most in one state.
    pub(super) most_complete: usize,
}

/// One life for each end.
type State = Vec<LifeId>;

/// Everything the attacker has heard in a state.
#[derive(Default)]
struct Heard {
    whole: Vec<Part>,
    ephemerals: Vec<Part>,
    tags: Vec<Part>,
    statics: Vec<Part>,
    proofs: Vec<Part>,
}

pub(super) fn everything(sessions: &[Session], network_key: bool) -> Found {
    let mut lives = Lives::new(sessions, network_key);
    let first: State = (0..lives.ends.len()).map(|end| LifeId::try_from(end).unwrap()).collect();
    let (mut seen, mut open) = (HashSet::from([first.clone()]), vec![first]);
    let mut found = Found::default();
    while let Some(state) = open.pop() {
        found.states += 1;
        found.most_complete = found.most_complete.max(check(&mut lives, &state));
        let heard = heard(&lives, &state);
        for end in 0..state.len() {
            for delivery in deliveries(&heard, lives.life(state[end]).waits, network_key) {
                found.deliveries += 1;
                if let Some(life) = lives.after(state[end], delivery) {
                    let mut next = state.clone();
                    next[end] = life;
                    if seen.insert(next.clone()) {
                        open.push(next);
                    }
                }
            }
        }
    }
    Found { judged: lives.judged(), lives: lives.lives.len(), ..found }
}

fn heard(lives: &Lives, state: &State) -> Heard {
    let mut heard = Heard::default();
    for life in state {
        let said = &lives.life(*life).said;
        heard.whole.extend(&said.whole);
        heard.ephemerals.extend(&said.ephemerals);
        heard.tags.extend(&said.tags);
        heard.statics.extend(&said.statics);
        heard.proofs.extend(&said.proofs);
    }
    heard
}

/// All that may be put before an end that waits for this.
fn deliveries(heard: &Heard, waits: Waits, network_key: bool) -> Vec<Delivery> {
    let mut all = Vec::new();
    let pairs = || heard.statics.iter().flat_map(|s| heard.proofs.iter().map(|proof| (*s, *proof)));
    match waits {
        Waits::First if network_key => {
            let tagged = |e: &Part| heard.tags.iter().map(|tag| Delivery::First(*e, Some(*tag))).collect::<Vec<_>>();
            all.extend(heard.ephemerals.iter().flat_map(tagged));
        }
        Waits::First => all.extend(heard.ephemerals.iter().map(|e| Delivery::First(*e, None))),
        Waits::Second => {
            for e in &heard.ephemerals {
                all.extend(pairs().map(|(s, proof)| Delivery::Second(*e, s, proof)));
            }
        }
        Waits::Third => all.extend(pairs().map(|(s, proof)| Delivery::Third(s, proof))),
        Waits::Record => {}
        Waits::Nothing => return all,
    }
    all.extend(heard.whole.iter().map(|whole| Delivery::Whole(*whole)));
    all
}

/// Asserts what must be so in every state, and counts the sessions that are complete in this one.
fn check(lives: &mut Lives, state: &State) -> usize {
    let mut complete = 0;
    for own in state {
        let Some(peer) = lives.life(*own).peer else { continue };
        let (end, heard) = (lives.life(*own).end, lives.life(*own).heard);
        let who = &lives.ends[end];
        let (id, role) = (who.id, who.role);
        assert_ne!(peer, id, "end {end} has accepted itself");
        assert!(who.expected.is_none_or(|expected| expected == peer), "end {end} was answered by another node");

        let others: Vec<LifeId> = state.iter().copied().filter(|other| other != own).collect();
        let same = |life: &Life| life.transcript == lives.life(*own).transcript;
        let twins = others.iter().filter(|other| lives.ends[lives.life(**other).end].role == role);
        assert_eq!(twins.filter(|other| same(lives.life(**other))).count(), 0, "one transcript, two of one role");

        // The one it is linked with: who wrote and read the same, as far as it has come.
        let is_partner = |other: &&LifeId| {
            let life = lives.life(**other);
            let ours = &lives.life(*own).transcript;
            let opposite = lives.ends[life.end].role != role;
            opposite && !life.transcript.is_empty() && ours.starts_with(&life.transcript) && {
                // A transcript that holds an answer: the first message alone is anybody's.
                life.waits != Waits::Second
            }
        };
        let partners: Vec<LifeId> = others.iter().filter(is_partner).copied().collect();
        let [partner] = partners[..] else { panic!("end {end} has accepted, and {} ends agree", partners.len()) };
        let theirs = lives.life(partner);
        let there = theirs.end;
        assert_eq!(lives.ends[there].id, peer, "end {end} takes its partner for somebody else");
        match theirs.peer {
            Some(name) => {
                assert_eq!(name, id, "end {end} is taken for somebody else");
                assert!(same(theirs), "ends {end} and {there} have accepted different transcripts");
            }
            // Only the one who speaks last can be ahead.
            None => assert_eq!(role, Role::Initiator, "a responder has accepted before its initiator"),
        }
        assert!(heard.is_none_or(|from| from == there), "end {end} heard a stranger");

        // The keys are the same as well: what the partner sealed opens, and nothing else does.
        if lives.life(*own).waits == Waits::Record && theirs.peer.is_some() {
            let record = *theirs.said.whole.last().expect("it sealed one");
            let after = lives.after(*own, Delivery::Whole(record));
            assert_eq!(after.and_then(|life| lives.life(life).heard), Some(there), "the keys differ");
        }
        complete += usize::from(role == Role::Initiator && heard.is_some() && lives.life(partner).heard.is_some());
    }
    complete
}
