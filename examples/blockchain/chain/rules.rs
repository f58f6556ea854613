//! What a header must be, given the headers before it.

use std::time::Duration;

use sealnet::envelope::Timestamp;

use super::genesis::Genesis;
use super::header::{Difficulty, Header};
use super::refusal::Refusal;

/// A block must be later than the median of so many before it: single miners with odd clocks cannot move it.
const MEDIAN_OF: usize = 11;

/// How far ahead of one's own clock a block may be. Such a block may become valid, so it is not held against anybody.
pub(crate) const MAX_AHEAD: Duration = Duration::from_secs(30);

/// Judges a header by its ancestors: `ancestors` begins with its parent and goes back as far as anybody asks. The work
/// has been checked before.
pub(super) fn check<'a>(
    header: &Header,
    ancestors: impl Iterator<Item = &'a Header> + Clone,
    genesis: &Genesis,
    now: Timestamp,
) -> Result<(), Refusal> {
    let parent = ancestors.clone().next().ok_or(Refusal::UnknownParent(header.parent))?;
    let expected = parent.height.saturating_add(1);
    if header.height != expected {
        return Err(Refusal::WrongHeight { claimed: header.height, expected });
    }
    let expected = difficulty_after(ancestors.clone(), genesis);
    if header.difficulty != expected {
        return Err(Refusal::WrongDifficulty { claimed: header.difficulty, expected });
    }
    let median = median_time_past(ancestors);
    if header.time <= median {
        return Err(Refusal::TooEarly { time: header.time, median });
    }
    if header.time > now.plus(MAX_AHEAD) {
        return Err(Refusal::TooFarAhead { time: header.time, now });
    }
    Ok(())
}

/// The difficulty of the block after these: adjusted after every `adjust_every` blocks by how long they took.
///
/// The periods share their ends. In Bitcoin they do not, and who chooses the times of the blocks at the seams can lower
/// the difficulty as far as he likes ("time warp").
pub(super) fn difficulty_after<'a>(
    mut ancestors: impl Iterator<Item = &'a Header> + Clone,
    genesis: &Genesis,
) -> Difficulty {
    let Some(parent) = ancestors.next() else { return genesis.min_difficulty() };
    let every = genesis.rules().adjust_every;
    if parent.height == 0 || parent.height % every != 0 {
        return parent.difficulty;
    }
    let before = usize::try_from(every - 1).ok().and_then(|skip| ancestors.nth(skip));
    let start = before.unwrap_or(genesis.header()).time;
    let expected = genesis.block_time().as_micros() * u128::from(every);
    parent.difficulty.adjusted(parent.time.since(start).as_micros(), expected, genesis.min_difficulty())
}

pub(super) fn median_time_past<'a>(ancestors: impl Iterator<Item = &'a Header>) -> Timestamp {
    let mut times: Vec<_> = ancestors.take(MEDIAN_OF).map(|header| header.time).collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
