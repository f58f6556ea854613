//! The handshake against every attacker who can only handle what was said: an exhaustive search over the real code.
//!
//! Up to three sessions run at once, six ends in all. The attacker owns the wire. He delivers what anybody said to
//! whomever he likes, as often as he likes, in any order, or not at all; and he puts messages together anew out of the
//! parts of others: any ephemeral key with any encrypted static key with any encrypted proof, whatever message and
//! session each of them is from. Everything he can do is tried in every state that can come about. (He has no key of
//! his own here; what strangers and members with keys of their own can do is in `tests/attacks/handshake.rs`.)
//!
//! Each end is the channel's own code from the first byte to the sealed record. Ephemeral keys are fixed, so what an end
//! does depends on nothing but what it was told, and each of its lives is run once, however many orders lead to it.
//!
//! Two simplifications, neither of which takes anything from the attacker: all initiators speak at the beginning, since
//! waiting would only leave him with less to play with; and an end that refused something is no longer distinguished
//! from one that was told nothing, since neither says anything any more.

mod lives;
mod search;

use std::sync::Arc;

use super::*;

/// One session's two ends. They know nothing of being meant for each other but the initiator's expectation.
struct Session {
    initiator: u8,
    /// Whom the initiator takes an answer from; `None`: from anybody.
    expected: Option<u8>,
    responder: u8,
}

const fn pinned(initiator: u8, responder: u8) -> Session {
    Session { initiator, expected: Some(responder), responder }
}

const fn open(initiator: u8, responder: u8) -> Session {
    Session { initiator, expected: None, responder }
}

/// Searches everything, and asserts that the sessions can come about as well: in `complete` of them both ends heard each
/// other at once in some state.
fn hold(what: &str, sessions: &[Session], network_key: bool, complete: usize) {
    let found = search::everything(sessions, network_key);
    println!(
        "{what}: {} states, {} deliveries tried, {} of them judged by the code for the first time, {} lives",
        found.states, found.deliveries, found.judged, found.lives
    );
    assert_eq!(found.most_complete, complete, "sessions that were complete at once: {what}");
}

/// Whether the longer searches were asked for.
fn at_length() -> bool {
    std::env::var_os("SEALNET_MODELS").is_some_and(|value| value == "long")
}

#[test]
fn whoever_accepts_agrees_with_exactly_one_other_end_whatever_is_done_to_two_sessions() {
    hold("the same pair twice", &[pinned(1, 2), pinned(1, 2)], false, 2);
    hold("one each way, any peer taken", &[open(1, 2), open(2, 1)], false, 2);
    hold("two diallers, any peer taken", &[open(1, 2), open(3, 2)], false, 2);
    hold("a chain, any peer taken", &[open(1, 2), open(2, 3)], false, 2);
    hold("with a network key", &[pinned(1, 2), open(2, 1)], true, 2);
}

#[test]
fn whoever_accepts_agrees_with_exactly_one_other_end_whatever_is_done_to_three_sessions() {
    hold("the same pair twice and back", &[pinned(1, 2), pinned(1, 2), pinned(2, 1)], false, 3);
    if at_length() {
        hold("one each way and a third, any peer taken", &[open(1, 2), open(2, 1), open(3, 1)], false, 3);
        hold("a circle, any peer taken", &[open(1, 2), open(2, 3), open(3, 1)], false, 3);
        hold("three with a network key", &[pinned(1, 2), open(2, 1), open(3, 2)], true, 3);
    }
}
