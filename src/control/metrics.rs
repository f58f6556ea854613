//! `GET /v1/metrics`: the node in figures, for Prometheus.
//!
//! Everything is read off the node at the moment it is asked for; nothing is counted for this on the way of a message.

use std::fmt;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::refusal::Refusal;
use super::routes::Asked;
use crate::node::{LinkStatus, Node, Status};
use crate::overlay::{Direction, MemberState, Push, Reason, RepairCounts};

/// OpenMetrics 1.0, section 4: the type of the text.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) async fn metrics(asked: Asked) -> Result<Response, Refusal> {
    let node = asked.node()?;
    let mut registry = Registry::with_prefix("sealnet");
    registry.register_collector(Box::new(Snapshot::of(&node, asked.config().log().max_bytes)));
    let mut text = String::new();
    encode(&mut text, &registry)
        .map_err(|_| Refusal::unavailable("no-metrics", "the metrics could not be written; ask again"))?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

/// The node at one moment.
#[derive(Debug)]
struct Snapshot {
    network: String,
    id: String,
    up: f64,
    members: [(MemberState, u64); 2],
    links: Vec<LinkStatus>,
    log_limit: usize,
    status: Status,
}

impl Snapshot {
    fn of(node: &Node, log_limit: usize) -> Self {
        let members = node.members();
        let count = |state| members.iter().filter(|member| member.state == state).count() as u64;
        Snapshot {
            network: node.network().to_string(),
            id: format!("{:#}", node.id()),
            up: node.uptime().as_secs_f64(),
            members: [MemberState::Present, MemberState::Unreachable].map(|state| (state, count(state))),
            links: node.link_status(),
            log_limit,
            status: node.status(),
        }
    }

    fn links(&self, direction: Direction, push: Push) -> f64 {
        let is_one = |link: &&LinkStatus| link.info.direction == direction && link.info.push == push;
        self.links.iter().filter(is_one).count() as f64
    }
}

impl prometheus_client::collector::Collector for Snapshot {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let status = &self.status;
        let about = [("version", env!("CARGO_PKG_VERSION")), ("network", &self.network), ("id", &self.id)];
        to.encode_descriptor("node", "The program, the network, and which node of it.", None, MetricType::Info)?
            .encode_info(&about)?;
        let mut to = Figures(to);
        to.gauge("uptime", "For how long it has run", Some(&Unit::Seconds), self.up)?;
        to.gauges(
            "members",
            "Members that are known and not gone",
            "state",
            self.members.map(|(state, count)| (state.label(), count as f64)),
        )?;
        let mut links = to.0.encode_descriptor("links", "Open links.", None, MetricType::Gauge)?;
        for direction in [Direction::Inbound, Direction::Outbound] {
            for push in [Push::Eager, Push::Lazy] {
                let name = if push == Push::Eager { "eager" } else { "lazy" };
                let labels = [("direction", direction.label()), ("push", name)];
                links.encode_family(&labels)?.encode_gauge(&self.links(direction, push))?;
            }
        }
        let slowest = self.links.iter().filter_map(|link| link.info.round_trip).max().unwrap_or_default();
        let queued = self.links.iter().map(|link| link.queued_bytes);
        let bytes = Some(&Unit::Bytes);
        to.gauge(
            "link_round_trip",
            "The longest of the links' last round trips",
            Some(&Unit::Seconds),
            slowest.as_secs_f64(),
        )?;
        to.gauge("queued", "Bytes that wait to be sent", bytes, queued.clone().sum::<usize>() as f64)?;
        to.gauge("queued_most", "Bytes that wait on the link with the most", bytes, queued.max().unwrap_or(0) as f64)?;
        to.counter("sent", "Bytes sent over all links", bytes, status.traffic.sent)?;
        to.counter("received", "Bytes received over all links", bytes, status.traffic.received)?;
        to.counter("writes", "System calls that sent", None, status.traffic.writes)?;
        to.counter("reads", "System calls that received", None, status.traffic.reads)?;
        to.counter("verifications", "Signatures verified", None, status.verifications)?;
        let reasons = Reason::ALL.map(|reason| (reason.label(), status.reasons.get(reason)));
        to.counters("drops", "What was dropped, refused and closed", "reason", reasons)?;
        to.gauge("log_messages", "Messages that are kept", None, status.log.envelopes as f64)?;
        to.gauge("log", "Bytes that are kept", bytes, status.log.bytes as f64)?;
        to.gauge("log_limit", "The most bytes that are kept", bytes, self.log_limit as f64)?;
        to.gauge(
            "log_trouble",
            "1 while the log on disk takes nothing",
            None,
            f64::from(u8::from(status.log_trouble.is_some())),
        )?;
        to.gauge("index_ids", "Ids that are remembered", None, status.index as f64)?;
        let RepairCounts { sessions, equal, deceived, busy, asked, absent, offered, dropped, .. } = status.repair;
        let repair = [
            ("sessions", sessions),
            ("equal", equal),
            ("deceived", deceived),
            ("busy", busy),
            ("asked", asked),
            ("absent", absent),
            ("offered", offered),
            ("dropped", dropped),
        ];
        to.counters("repair", "What repair did", "what", repair)
    }
}

/// Writes figures one after another.
struct Figures<'a>(DescriptorEncoder<'a>);

impl Figures<'_> {
    fn gauge(&mut self, name: &str, help: &str, unit: Option<&'static Unit>, value: f64) -> fmt::Result {
        self.begin(name, help, unit, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn counter(&mut self, name: &str, help: &str, unit: Option<&'static Unit>, value: u64) -> fmt::Result {
        self.begin(name, help, unit, MetricType::Counter)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    fn gauges<const N: usize>(&mut self, name: &str, help: &str, label: &str, values: [(&str, f64); N]) -> fmt::Result {
        let mut metric = self.begin(name, help, None, MetricType::Gauge)?;
        values.iter().try_for_each(|(of, value)| metric.encode_family(&[(label, *of)])?.encode_gauge(value))
    }

    fn counters<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: [(&str, u64); N],
    ) -> fmt::Result {
        let mut metric = self.begin(name, help, None, MetricType::Counter)?;
        values.iter().try_for_each(|(of, value)| {
            metric.encode_family(&[(label, *of)])?.encode_counter::<NoLabelSet, _, u64>(value, None)
        })
    }

    fn begin<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        unit: Option<&'static Unit>,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        // The format wants a full stop.
        self.0.encode_descriptor(name, &format!("{help}."), unit, kind)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::identity::Identity;
    use crate::node::SecureNode;

    async fn scraped() -> String {
        let node =
            SecureNode::builder("metrics".parse().unwrap(), Identity::from_seed(&[1; 32])).start().await.unwrap();
        let mut registry = Registry::with_prefix("sealnet");
        registry.register_collector(Box::new(Snapshot::of(&node, 1 << 20)));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        node.stop().await;
        text
    }

    /// `sealnet_queued_bytes{…} 0` is of `sealnet_queued_bytes`.
    fn names(text: &str) -> BTreeSet<String> {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.map(|line| line.split(['{', ' ']).next().unwrap_or_default().to_owned()).collect()
    }

    #[tokio::test]
    async fn the_published_page_lists_the_metrics_that_there_are_and_no_others() {
        let page = include_str!("../../docs/control.md");
        let rows = page.lines().filter(|line| line.starts_with("| `sealnet_"));
        let first = rows.filter_map(|row| row.split('|').nth(1));
        let said: BTreeSet<String> =
            first.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect();
        assert_eq!(said, names(&scraped().await));
    }

    #[tokio::test]
    async fn every_reason_is_a_series_from_the_start_and_nothing_others_say_makes_one() {
        let text = scraped().await;
        let drops = text.lines().filter(|line| line.starts_with("sealnet_drops_total{")).count();
        assert_eq!(drops, Reason::ALL.len());
        assert!(text.contains("sealnet_members{state=\"present\"} 1"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }
}
