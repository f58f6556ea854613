//! The side of a session that began it.

use bytes::Bytes;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::envelope::EnvelopeId;
use crate::wire::{ReconcileAccept, ReconcileEnd, ReconcileOpen, ReconcileSet};

use super::engine;
use super::items::Window;

/// Questions in one session.
const ROUNDS: u32 = 64;
/// Ids that one session may find to be needed. No responder vouches for more than 32,768.
const NEEDED: usize = 40_000;
/// Up to so many ids each are listed where fingerprints deceive.
const LISTED: usize = 1_000;

/// A session this node began.
#[derive(Debug)]
pub(super) struct Session {
    number: u16,
    window: Window,
    digest: [u8; 32],
    stage: Stage,
    /// How many ids the responder has in the window.
    theirs: usize,
    rounds: u32,
    /// What was found so far: ids that the responder lacks, and ids that this node lacks.
    have: Vec<EnvelopeId>,
    need: Vec<EnvelopeId>,
    /// The responder's digest of its ids.
    their_digest: [u8; 32],
    /// The older part of the window, which the responder did not take on.
    rest: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Opened,
    Comparing,
    Listing,
}

/// How a session goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// With this question.
    Query(Bytes),
    /// Both have the same ids in this stretch of time. `told`: the responder knows, too.
    Equal { from: u64, to: u64, told: bool },
    /// It is over: all differences are found.
    Done,
    /// What was found does not make the digests equal: somebody has made ids whose fingerprints agree. The two parts of the
    /// stretch, before and from `at`, are compared on their own.
    Halve { from: u64, at: u64, to: u64 },
    /// It is over, for this reason.
    Stop(ReconcileEnd),
}

impl Session {
    pub(super) fn new(number: u16, window: Window) -> Self {
        let digest = window.items.digest();
        Session {
            number,
            window,
            digest,
            stage: Stage::Opened,
            theirs: 0,
            rounds: 0,
            have: Vec::new(),
            need: Vec::new(),
            their_digest: [0; 32],
            rest: None,
        }
    }

    pub(super) fn number(&self) -> u16 {
        self.number
    }

    /// Where the stretch of time ends that is being compared.
    pub(super) fn to(&self) -> u64 {
        self.window.to
    }

    /// The older part of the window that is still to be compared, once.
    pub(super) fn take_rest(&mut self) -> Option<(u64, u64)> {
        self.rest.take()
    }

    /// Whether fingerprints have deceived.
    pub(super) fn is_listing(&self) -> bool {
        self.stage == Stage::Listing
    }

    /// The first step.
    pub(super) fn open(&self, set: ReconcileSet, alive: u64) -> ReconcileOpen {
        let count = u32::try_from(self.window.items.len()).unwrap_or(u32::MAX);
        ReconcileOpen { set, from: self.window.from, to: self.window.to, alive, digest: self.digest, count }
    }

    /// The responder named the part that it vouches for.
    pub(super) fn accepted(&mut self, accept: &ReconcileAccept) -> Next {
        let ReconcileAccept { from, to, digest, count } = *accept;
        let is_part = self.window.from <= from && from < to && to <= self.window.to;
        if self.stage != Stage::Opened || !is_part {
            return Next::Stop(ReconcileEnd::Refused);
        }
        let told = (from, to) == (self.window.from, self.window.to);
        if !told {
            self.rest = Some((self.window.from, from)).filter(|(begin, end)| begin < end);
            self.window.narrow(from, to);
            self.digest = self.window.items.digest();
        }
        if self.digest == digest {
            return Next::Equal { from, to, told };
        }
        self.stage = Stage::Comparing;
        self.theirs = usize::try_from(count).unwrap_or(usize::MAX);
        self.their_digest = digest;
        match engine::first(&self.window.items) {
            Ok(query) => Next::Query(query),
            Err(_) => Next::Stop(ReconcileEnd::Refused),
        }
    }

    /// The responder answered a question: what is missing where, and how it goes on.
    pub(super) fn answered(&mut self, rng: &mut ChaCha8Rng, answer: &[u8]) -> (Vec<EnvelopeId>, Vec<EnvelopeId>, Next) {
        let stop = |why| (Vec::new(), Vec::new(), Next::Stop(why));
        if self.stage == Stage::Opened {
            return stop(ReconcileEnd::Refused);
        }
        let Ok(engine::Found { have, mut need, next }) = engine::found(&self.window.items, answer) else {
            return stop(ReconcileEnd::Refused);
        };
        self.rounds += 1;
        need.truncate(NEEDED - self.need.len());
        self.have.extend(&have);
        self.need.extend(&need);
        if self.stage != Stage::Listing && self.have.len() > self.window.items.len() {
            // The same is said to be missing again and again.
            return stop(ReconcileEnd::Refused);
        }
        let next = match next {
            Some(_) if self.rounds >= ROUNDS || self.need.len() >= NEEDED => Next::Stop(ReconcileEnd::TooMany),
            Some(query) => Next::Query(query),
            None if self.has_found_all() => Next::Done,
            None => self.deceived(rng),
        };
        (have, need, next)
    }

    /// Whether what was found explains that the digests differ.
    fn has_found_all(&self) -> bool {
        self.window.items.digest_of_others(&self.have, &self.need) == self.their_digest
    }

    /// Less was found than there must be.
    fn deceived(&mut self, rng: &mut ChaCha8Rng) -> Next {
        let Window { items, from, to } = &self.window;
        if self.stage == Stage::Listing {
            // Lists hide nothing: the responder's digest is not of its ids.
            return Next::Stop(ReconcileEnd::Refused);
        }
        if items.len() <= LISTED && self.theirs <= LISTED {
            self.stage = Stage::Listing;
            return Next::Query(engine::list(items));
        }
        // At random, so that nobody can make ids for the parts.
        let place = rng.random_range(items.len() / 4..=items.len() * 3 / 4);
        let at = items.time(place).filter(|at| at > from).or_else(|| items.time_after(*from));
        match at {
            Some(at) => Next::Halve { from: *from, at, to: *to },
            None => Next::Stop(ReconcileEnd::TooMany),
        }
    }
}
