//! The overlay's core: who belongs to the network, whom to be linked with, which broadcasts are new, and to whom they go.
//!
//! One plain data structure, [`Core`]. It reads no clock, no socket, no file and no randomness: its host hands in the
//! time ([`Now`]) and what happened, and acts on what comes out ([`Output`]). The tokio node, the simulator and the
//! attack tests are such hosts, so what is tested in virtual time is what runs.
//!
//! The way of a broadcast: [`Core::offer`], then the host verifies, [`Core::verified`], then applications judge and the
//! log appends, [`Core::accept`]. [`take_in`] is that way for a host without applications.

mod addresses;
mod admission;
mod asking;
mod bucket;
mod budget;
mod by_time;
mod core;
mod gathered;
mod holders;
mod index;
mod intake;
mod join;
mod links;
mod liveness;
mod member_record;
mod members;
mod neighbours;
mod newest_ids;
mod now;
mod on_demand;
mod output;
mod pace;

mod past;
mod peers;
mod presence;
mod ranges;
mod reason;
mod recent_ids;
mod reconcile;
mod records;
mod relay;
mod remembered;
mod settings;
mod standing;
mod take_in;
#[cfg(test)]
mod tests;
mod tickets;
mod timers;
mod tree;

pub use self::core::{ClockWentBack, Core, Setup};
pub use admission::Withdrawal;
pub(crate) use bucket::TokenBucket;
pub use holders::{Held, Holder};
pub use intake::{Claimed, Judged, Offer, Verdicts};
pub use links::{LinkInfo, Opening, Refused};
pub use member_record::{MemberRecord, MemberRecordError};
pub use members::{Member, MemberState};
pub use now::{Instant, Now};
pub use on_demand::Reach;
pub use output::{CoreEvent, DialId, Direction, JoinStep, LinkId, Output, Target};
pub use past::{Past, PastLog, Seen};
pub use presence::{
    Content, LEAVE_TITLE, LinkName, MEMBER_TITLE, PRESENCE_TITLE, Presence, PresenceError, SHUTDOWN_TITLE,
};
pub(crate) use ranges::is_public;
pub use reason::{Reason, ReasonCounts};
pub use reconcile::RepairCounts;
pub(crate) use records::MEMBERS;
pub use relay::Handed;
pub use remembered::RememberedPeer;
pub use settings::{Broadcast, Settings};
pub use standing::Offence;
pub use take_in::{CoreAccess, Keep, take_in};
pub(crate) use take_in::{keep_and_accept, take_in_by};
pub use tickets::Ticket;
pub use tree::Push;

/// How far two honest clocks may be apart, and how long an envelope is live at least.
pub const TIME_TOLERANCE: std::time::Duration = std::time::Duration::from_secs(120);
