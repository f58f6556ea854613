//! What is measured, under which name, in which unit.

/// Something that is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metric {
    /// Its name in the JSON object; it ends in the unit.
    pub(super) key: &'static str,
    /// What it is called in tables and curves.
    pub(super) label: &'static str,
    /// How many digits behind the point mean something.
    pub(super) digits: usize,
}

const fn metric(key: &'static str, label: &'static str, digits: usize) -> Metric {
    Metric { key, label, digits }
}

pub(super) const MESSAGES: Metric = metric("messages_per_s", "messages/s, everywhere", 0);
pub(super) const DELIVERIES: Metric = metric("deliveries_per_s", "deliveries/s", 0);
pub(super) const CPU: Metric = metric("cpu_us_per_delivery", "processor µs/delivery", 1);
pub(super) const VERIFY: Metric = metric("verify_us", "one strict verification, µs", 1);
pub(super) const CPU_RATIO: Metric = metric("cpu_per_verification", "processor time/verification", 2);
pub(super) const VERIFICATIONS: Metric = metric("verifications_per_delivery", "verifications/delivery", 3);
pub(super) const COPIES: Metric = metric("copies_per_delivery", "copies received/delivery", 2);
pub(super) const LATENCY_P50: Metric = metric("latency_p50_ms", "latency p50, ms", 2);
pub(super) const LATENCY_P99: Metric = metric("latency_p99_ms", "latency p99, ms", 2);
pub(super) const LATENCY_MAX: Metric = metric("latency_max_ms", "latency max, ms", 2);
pub(super) const CALM_P99: Metric = metric("latency_p99_without_ms", "p99 without forgers, ms", 2);
pub(super) const P99_RATIO: Metric = metric("latency_p99_with_per_without", "p99 with/without forgers", 2);
pub(super) const FORGED: Metric = metric("verifications_beyond", "verifications beyond one a delivery", 0);
pub(super) const REFUSED: Metric = metric("forgers_refused_per_s", "forgers refused/s", 0);
pub(super) const WIRE: Metric = metric("wire_bytes_per_delivery", "wire bytes/delivery", 0);
pub(super) const WIRE_RATIO: Metric = metric("wire_per_envelope", "wire bytes/envelope byte", 2);
pub(super) const WRITES: Metric = metric("writes_per_delivery", "writes/delivery", 2);
pub(super) const READS: Metric = metric("reads_per_delivery", "reads/delivery", 2);
pub(super) const LINKS: Metric = metric("links_per_node", "links/node", 1);
pub(super) const JOIN: Metric = metric("join_ms", "all joined, ms", 0);
pub(super) const JOIN_CPU: Metric = metric("join_cpu_ms_per_node", "processor ms/node, joining", 1);
pub(super) const MEMORY: Metric = metric("memory_kib_per_node", "memory/idle node, KiB", 0);
pub(super) const IDLE_CPU: Metric = metric("idle_cpu_us_per_node_s", "processor µs/idle node, a second", 0);
pub(super) const LOADED_MEMORY: Metric = metric("loaded_memory_kib_per_node", "memory/node at the end, KiB", 0);
pub(super) const APPENDS: Metric = metric("appends_per_s", "durable appends/s, in groups", 0);
pub(super) const APPEND_P50: Metric = metric("append_p50_ms", "one append waited for, p50, ms", 2);
pub(super) const APPEND_P99: Metric = metric("append_p99_ms", "one append waited for, p99, ms", 2);
pub(super) const COLD_START: Metric = metric("cold_start_ms", "cold start, ms", 0);
pub(super) const COLD_START_CPU: Metric = metric("cold_start_cpu_ms", "processor time of it, ms", 0);
pub(super) const CRASH_START: Metric = metric("crash_start_ms", "cold start after a crash, ms", 0);
pub(super) const LOG_MEMORY: Metric = metric("log_memory_mib", "memory of log and index, MiB", 0);
pub(super) const LOG_FILE: Metric = metric("log_file_mib", "the file, MiB", 0);

pub(super) const REPAIR: Metric = metric("repair_ms", "everything there again, ms", 0);
pub(super) const REPAIR_CPU: Metric = metric("repair_cpu_us_per_message", "processor µs/missing message", 1);
pub(super) const REPAIR_BYTES: Metric = metric("repair_bytes_per_missing_byte", "wire bytes/missing byte", 3);
pub(super) const REPAIR_EXTRA: Metric = metric("repair_extra_bytes_per_message", "other bytes/missing message", 0);

pub(super) const FETCH: Metric = metric("fetch_10mb_ms", "10 MB fetched, ms", 1);
pub(super) const FETCH_CPU: Metric = metric("fetch_10mb_cpu_ms", "processor ms/10 MB, both ends", 1);
pub(super) const REQUESTS: Metric = metric("requests_per_s", "small requests/s", 0);
pub(super) const REQUESTS_CPU: Metric = metric("cpu_us_per_request", "processor µs/request, both ends", 1);

pub(super) const REDUNDANCY: Metric = metric("redundancy", "redundancy, steady", 3);
pub(super) const LAST_HOP: Metric = metric("last_hop", "last delivery's hop, at most", 0);
pub(super) const SIMULATED_IN: Metric = metric("simulated_in_s", "simulated in, s", 1);
pub(super) const SIMULATED_CPU: Metric = metric("simulated_cpu_s", "processor time of it, s", 1);
pub(super) const SIMULATED_MEMORY: Metric = metric("simulated_memory_mib", "memory of it, MiB", 0);

/// All of them, in the order of the tables.
pub(super) const ALL: [Metric; 45] = [
    MESSAGES,
    DELIVERIES,
    CPU,
    VERIFY,
    CPU_RATIO,
    VERIFICATIONS,
    COPIES,
    LATENCY_P50,
    LATENCY_P99,
    LATENCY_MAX,
    CALM_P99,
    P99_RATIO,
    FORGED,
    REFUSED,
    WIRE,
    WIRE_RATIO,
    WRITES,
    READS,
    LINKS,
    JOIN,
    JOIN_CPU,
    MEMORY,
    IDLE_CPU,
    LOADED_MEMORY,
    REPAIR,
    REPAIR_CPU,
    REPAIR_BYTES,
    REPAIR_EXTRA,
    FETCH,
    FETCH_CPU,
    REQUESTS,
    REQUESTS_CPU,
    APPENDS,
    APPEND_P50,
    APPEND_P99,
    COLD_START,
    COLD_START_CPU,
    CRASH_START,
    LOG_MEMORY,
    LOG_FILE,
    REDUNDANCY,
    LAST_HOP,
    SIMULATED_IN,
    SIMULATED_CPU,
    SIMULATED_MEMORY,
];
