//! What a node brings from its former runs.

use std::time::Duration;

use crate::envelope::{EnvelopeId, Lifetime, Timestamp};
use crate::identity::NodeId;

use super::{Core, Now, TIME_TOLERANCE};

/// What is known of a node's former runs; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// No envelope of this node's own is later.
    pub last_time: Timestamp,
    /// The latest time this node's clock has shown. What had run out by then stays so, should the clock go back.
    pub clock_seen: Timestamp,
    /// The log that is still there, if there is one.
    pub log: Option<PastLog>,
}

/// A log that outlived the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastLog {
    /// When it began. Own envelopes from before it are history; every later one is in it.
    pub began: Timestamp,
    /// The time before which it does not know what it took.
    pub floor: Timestamp,
}

/// An envelope that was accepted in a former run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub id: EnvelopeId,
    /// Who made it.
    pub sender: NodeId,
    /// When.
    pub time: Timestamp,
    /// How long it asked to be kept.
    pub lifetime: Lifetime,
}

/// So far ahead of the clock may be what a node signed in a life of which it knows nothing any more: as far as a state file
/// lets own times go (10 s), and some room for restarts. It is no sign of somebody else with the same key.
pub(super) const FORMER_AHEAD: Duration = Duration::from_secs(11);

impl Core {
    /// Goes on after former runs. Called before [`start`](Core::start).
    pub fn recall(&mut self, now: Now, past: &Past) {
        self.last_time = past.last_time;
        self.clock_seen = past.clock_seen.max(now.wall);
        // What it made before may be ahead of the clock.
        self.own_start = if past.last_time == Timestamp::default() {
            now.wall.plus(FORMER_AHEAD)
        } else {
            now.wall.max(past.last_time)
        };
        let began = past.log.map_or(now.wall.max(past.last_time), |log| log.began);
        self.own_log_start = began.plus(FORMER_AHEAD);
        let floor = if self.settings.history {
            self.clock_seen.minus(self.settings.keep)
        } else {
            began.min(now.wall).minus(TIME_TOLERANCE)
        };
        self.index.set_floor(past.log.map_or(floor, |log| floor.max(log.floor)));
    }

    /// Knows an envelope again that was accepted in a former run.
    pub fn remember(&mut self, seen: &Seen) {
        self.index.remember(seen, self.settings.keep);
    }

    /// The latest time this node's clock has shown.
    pub fn clock_seen(&self) -> Timestamp {
        self.clock_seen
    }

    /// The time before which this node cannot tell what it has seen, and takes nothing.
    pub fn floor(&self) -> Timestamp {
        self.index.floor()
    }

    /// The time of the latest envelope of this node's own.
    pub fn last_time(&self) -> Timestamp {
        self.last_time
    }
}
