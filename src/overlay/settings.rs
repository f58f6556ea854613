//! What can be set about the overlay. Three presets cover what networks need; single fields are for tests and studies.

use std::time::Duration;

/// Whether broadcasts flood, or follow a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Broadcast {
    /// Every broadcast over every link: as many copies as there are links, and no link whose loss is noticed. For studies,
    /// and for a handful of nodes.
    Flood,
    /// Links that bring what others bring sooner are pruned, whatever the number of links.
    Tree,
    /// The tree, while this node has more than three links.
    #[default]
    Auto,
}

impl Broadcast {
    /// All of them.
    pub const ALL: [Broadcast; 3] = [Broadcast::Flood, Broadcast::Tree, Broadcast::Auto];

    /// How it is written: `flood`, `tree` or `auto`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Broadcast::Flood => "flood",
            Broadcast::Tree => "tree",
            Broadcast::Auto => "auto",
        }
    }

    /// The one that is written like this.
    pub fn from_name(name: &str) -> Option<Self> {
        Broadcast::ALL.into_iter().find(|broadcast| broadcast.as_str() == name)
    }
}

/// How this node keeps itself connected. Begin with a preset and change as little as possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Links to have, in both directions together; a smaller network links everyone with everyone. More links survive
    /// more failures at once and cost more copies of every broadcast: keep 8 unless you study the effect.
    pub target_links: usize,
    /// Above this many links the newest that nobody needs is closed. At least `target_links`.
    pub max_links: usize,
    /// How many links others may open to this node. Raise it on a node that introduces many at once (a genesis node:
    /// 256); everyone else needs no more than 32.
    pub inbound_links: usize,
    /// How broadcasts travel. Nodes may differ in it; each prunes its own links only.
    pub broadcast: Broadcast,
    /// A link that was silent this long is asked for a sign of life.
    pub ping_after: Duration,
    /// A link that was silent this long is closed. At least twice `ping_after`.
    pub dead_after: Duration,
    /// The shortest time between two announcements of this node's presence.
    pub announce_every: Duration,
    /// How soon a change of links is announced.
    pub announce_within: Duration,
    /// How many links others may open to this node from one address; addresses of this machine itself do not count.
    pub inbound_per_address: usize,
    /// Whether whole ranges of addresses (/24, /48) are limited: 8 inbound links each, one dial at a time, an hour between
    /// two dials at an address that nobody vouched for. It bounds what somebody with many addresses can do, and what lies
    /// can cause; say no where many members share a range, as in a classroom.
    pub limit_ranges: bool,
    /// Whether one sender may have 50 envelopes and 1 MiB a second flooded, 1,000 and 8 MiB at once, and no more. Others
    /// fetch the rest later. Say no where applications send as much as they can.
    pub limit_senders: bool,
    /// Whether one link may bring 8,000 frames and 8 MiB a second unasked, 16,000 and 16 MiB at once, before it is read more
    /// slowly. Say no where neighbours are trusted to send as much as they can.
    pub limit_links: bool,
    /// The shortest time between two dials of addresses that nobody vouched for.
    pub hint_every: Duration,
    /// The first pause before an address is tried again; doubles with every failure.
    pub retry_first: Duration,
    /// The longest pause before a genesis node or a former neighbour is tried again.
    pub retry_most: Duration,
    /// A link that was opened for a request is closed when there was none on it for this long. Longer saves handshakes to
    /// programs that ask the same nodes now and then.
    pub idle_after: Duration,
    /// How often a genesis node is visited that this node cannot see to be in its part of the network; in a large network
    /// every member × 0.1 s, if that is longer. Shorter finds a genesis node that was restarted sooner.
    pub check_in_every: Duration,
    /// How often this node compares with a neighbour, chosen at random, what both have, give or take half; when links are
    /// opened it does so anyway. This is how long something may be missing that nobody noticed: shorter finds it sooner, at
    /// some hundred bytes a time where nothing is missing.
    pub reconcile_every: Duration,
    /// The shortest time between two questions for members, to the same neighbour.
    pub ask_every: Duration,
    /// A member to whom nobody has named a link for this long counts as unreachable.
    pub unreachable_after: Duration,
    /// Whether to announce who one is linked with. Others then see broken parts sooner, and an attacker sees a map.
    pub publish_links: bool,
    /// How long broadcasts are kept at most, whatever lifetime they ask for.
    pub keep: Duration,
    /// Whether a node without a log wants what was said before it came (within `keep`).
    pub history: bool,
    /// How many ids are remembered; about 150 bytes each.
    pub index_capacity: usize,
    /// How many members are known at most.
    pub member_capacity: usize,
}

impl Settings {
    /// Everything on one machine: quick to notice and to retry, no care about addresses.
    pub fn local() -> Self {
        Settings {
            target_links: 8,
            max_links: 12,
            inbound_links: 256,
            broadcast: Broadcast::Auto,
            ping_after: Duration::from_secs(4),
            dead_after: Duration::from_secs(10),
            announce_every: Duration::from_secs(1),
            announce_within: Duration::from_millis(200),
            inbound_per_address: 4,
            limit_ranges: false,
            limit_senders: false,
            limit_links: false,
            hint_every: Duration::ZERO,
            retry_first: Duration::from_millis(200),
            retry_most: Duration::from_secs(5),
            idle_after: Duration::from_secs(10),
            check_in_every: Duration::from_secs(10),
            reconcile_every: Duration::from_secs(10),
            ask_every: Duration::from_secs(1),
            unreachable_after: Duration::from_secs(3),
            publish_links: true,
            keep: Duration::from_secs(24 * 3600),
            history: true,
            index_capacity: 1_000_000,
            member_capacity: 4096,
        }
    }

    /// One site with a quick and trusted wire.
    pub fn lan() -> Self {
        Settings {
            inbound_links: 32,
            limit_senders: true,
            limit_links: true,
            hint_every: Duration::from_secs(1),
            retry_first: Duration::from_secs(1),
            retry_most: Duration::from_secs(30),
            idle_after: Duration::from_secs(30),
            check_in_every: Duration::from_secs(30),
            reconcile_every: Duration::from_secs(30),
            ask_every: Duration::from_secs(2),
            announce_within: Duration::from_secs(1),
            ..Settings::local()
        }
    }

    /// Nodes anywhere.
    pub fn wan() -> Self {
        Settings {
            ping_after: Duration::from_secs(20),
            dead_after: Duration::from_secs(60),
            announce_every: Duration::from_secs(10),
            announce_within: Duration::from_secs(2),
            hint_every: Duration::from_secs(10),
            retry_first: Duration::from_secs(2),
            retry_most: Duration::from_secs(60),
            check_in_every: Duration::from_secs(600),
            reconcile_every: Duration::from_secs(60),
            ask_every: Duration::from_secs(10),
            unreachable_after: Duration::from_secs(30),
            publish_links: false,
            limit_ranges: true,
            ..Settings::lan()
        }
    }
}

impl Default for Settings {
    /// [`Settings::wan`]: what holds anywhere.
    fn default() -> Self {
        Settings::wan()
    }
}
