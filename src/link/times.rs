//! How long a link waits: the numbers of the protocol page, sections 2 and 12.

use std::time::Duration;

/// From accepting a connection to its whole first message. An honest dialler sends it at once; whoever connects and
/// says nothing holds one of few half-open places.
pub const FIRST_MESSAGE: Duration = Duration::from_secs(2);

/// The whole handshake, at both ends: two round trips of the slowest line, and a lost packet sent again.
pub const HANDSHAKE: Duration = Duration::from_secs(5);

/// From the end of the handshake to the peer's HELLO.
pub const HELLO: Duration = Duration::from_secs(5);

/// How long a write may go on without a byte being taken, before the peer counts as stuck.
pub const PROGRESS: Duration = Duration::from_secs(30);
