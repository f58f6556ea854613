//! What attackers try, one module per chapter; `docs/attacks.md` says which test shows what.
//!
//! Peers are scripted step by step against real nodes: over loopback, or where time matters in paused time over pipes
//! (see [`stage`]).

mod envelopes;
mod exhaustion;
mod handshake;
mod keys;
mod networks;
mod records;
mod replay;
mod requests;
mod sealed;
mod stage;
mod storm;
mod tree;

#[allow(dead_code, reason = "the tests in tests/it use the rest of it")]
#[path = "../it/link/forgeries.rs"]
mod forgeries;
#[allow(dead_code, reason = "the tests in tests/it use the rest of it")]
#[path = "../it/peer.rs"]
mod peer;
#[allow(dead_code, reason = "the tests in tests/it use the rest of it")]
#[path = "../it/program.rs"]
mod program;
#[allow(dead_code, reason = "the tests in tests/it use the rest of it")]
#[path = "../it/link/script.rs"]
mod script;
#[allow(dead_code, reason = "the tests in tests/it use the rest of it")]
#[path = "../it/support.rs"]
mod support;
