//! What a run amounts to: every message and every node that should have it, accounted for.

mod account;
mod figures;
mod ledger;

pub(super) use account::Ending;
pub use account::{Account, Explanation};
pub(super) use figures::{Figures, ratio};
pub use figures::{Latencies, Spread};
pub(super) use ledger::{Arrival, Ledger, MessageNumber};
