//! What is measured, under which name, in which unit.

/// Something that is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    /// Its name in the JSON object; it ends in the unit.
    pub(crate) key: &'static str,
    /// What it is called in tables and curves.
    pub(crate) label: &'static str,
    /// How many digits behind the point mean something.
    pub(crate) digits: usize,
    /// Whether less is better; `None` where nothing is better or worse.
    less_is_better: Option<bool>,
}

const fn more(key: &'static str, label: &'static str, digits: usize) -> Metric {
    Metric { key, label, digits, less_is_better: Some(false) }
}

const fn less(key: &'static str, label: &'static str, digits: usize) -> Metric {
    Metric { key, label, digits, less_is_better: Some(true) }
}

const fn fact(key: &'static str, label: &'static str, digits: usize) -> Metric {
    Metric { key, label, digits, less_is_better: None }
}

pub(crate) const MESSAGES: Metric = more("messages_per_s", "messages/s, everywhere", 0);
pub(crate) const DELIVERIES: Metric = fact("deliveries_per_s", "deliveries/s", 0);
pub(crate) const CPU: Metric = less("cpu_us_per_delivery", "processor µs/delivery", 1);
pub(crate) const VERIFY: Metric = fact("verify_us", "one strict verification, µs", 1);
pub(crate) const CPU_RATIO: Metric = less("cpu_per_verification", "processor time/verification", 2);
pub(crate) const LATENCY_P50: Metric = less("latency_p50_ms", "latency p50, ms", 2);
pub(crate) const LATENCY_P99: Metric = less("latency_p99_ms", "latency p99, ms", 2);
pub(crate) const LATENCY_MAX: Metric = fact("latency_max_ms", "latency max, ms", 2);
pub(crate) const WIRE: Metric = less("wire_bytes_per_delivery", "wire bytes/delivery", 0);
pub(crate) const OWN_WIRE: Metric = fact("own_wire_bytes_per_delivery", "… by its own count", 0);
pub(crate) const PUBLISHED: Metric = fact("messages", "messages published", 0);
pub(crate) const LINKS: Metric = fact("links_per_node", "links/node", 1);
pub(crate) const JOIN: Metric = less("join_ms", "all linked, ms", 0);
pub(crate) const JOIN_CPU: Metric = fact("join_cpu_ms_per_node", "processor ms/node, starting", 1);
pub(crate) const MEMORY: Metric = less("memory_kib_per_node", "memory/idle node, KiB", 0);

pub(crate) const BULK: Metric = more("link_gb_per_s", "GB/s", 2);
pub(crate) const BULK_CPU: Metric = less("link_cpu_ms_per_gb", "processor ms/GB, both ends", 0);
pub(crate) const REQUESTS: Metric = more("link_requests_per_s", "small requests/s", 0);
pub(crate) const REQUESTS_CPU: Metric = less("link_cpu_us_per_request", "processor µs/request, both ends", 2);
pub(crate) const HANDSHAKES: Metric = more("handshakes_per_s", "handshakes/s, one after the other", 0);
pub(crate) const HANDSHAKES_CPU: Metric = less("cpu_us_per_handshake", "processor µs/handshake, both ends", 0);

/// All of them, in the order of the tables.
pub(crate) const ALL: [Metric; 21] = [
    MESSAGES,
    DELIVERIES,
    CPU,
    VERIFY,
    CPU_RATIO,
    LATENCY_P50,
    LATENCY_P99,
    LATENCY_MAX,
    WIRE,
    OWN_WIRE,
    PUBLISHED,
    LINKS,
    JOIN,
    JOIN_CPU,
    MEMORY,
    BULK,
    BULK_CPU,
    REQUESTS,
    REQUESTS_CPU,
    HANDSHAKES,
    HANDSHAKES_CPU,
];

impl Metric {
    /// Puts the best first; `false` where nothing is better or worse, and nothing is done.
    pub(crate) fn rank<T>(self, values: &mut [(T, f64)]) -> bool {
        let Some(less_is_better) = self.less_is_better else { return false };
        values.sort_by(|(_, one), (_, other)| if less_is_better { one.total_cmp(other) } else { other.total_cmp(one) });
        true
    }
}
