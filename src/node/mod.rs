//! The node: the overlay's core on tokio, with real connections and real time.
//!
//! [`SecureNode`] is the showcase; [`Node`] is the same host with plain links and unsigned envelopes. One short lock
//! guards the core; link tasks, the timer and the handle call it and then do, without the lock, what it asks for.

mod apps;
mod body;
mod brought;
mod builder;
mod clock;
mod dialer;
mod events;
mod figures;
mod from_config;
mod handle;
mod judging;
mod link_data;
mod link_task;
mod listener;
mod nicknames;
mod past_runs;
mod publish;
mod reasons;
mod requests;
mod retry;
#[cfg(feature = "sealed")]
mod seal_keys;
#[cfg(feature = "sealed")]
mod sealed;
mod shared;
mod start_error;
mod subscription;

pub use apps::{Attached, Held, LinkChange, STOPPING, StopSignal};
pub use body::{Body, BodyError};
pub use builder::{Builder, Plain, Secure};
pub use clock::Clock;
pub use events::{Event, Events};
pub use figures::{AppState, AppStatus, LinkStatus};
pub use from_config::LoadError;
pub use handle::{ConnectError, Node, SecureNode, Status, WeakNode};
pub use judging::{Judge, LATER_FOR, Undecided, Verdict};
pub use nicknames::{MAX_NICKNAMES, NicknameError};
pub use publish::{Publish, PublishError, Receipt};
pub use requests::{
    Asked, DirectMessage, Download, Fetch, MAX_DIRECT, MAX_REQUEST, Reply, ReplyEnded, Request, RequestError, Requests,
    Response, Sent, ServeError, WrongBody,
};
pub use retry::{NOT_AGAIN_FOR, Say};
#[cfg(feature = "sealed")]
pub use sealed::{SealTo, SealToError};
pub use start_error::{LaunchError, StartError};
pub use subscription::{Broadcast, Item, Subscription};
