//! Two runs beside each other, for a person or for a program.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::super::Failure;
use super::super::output::{BAD, GOOD, NAME, Out};
use crate::overlay::Reason;
use crate::sim::lab::Outcome;

/// A figure without the attack and with it.
struct Figure {
    key: &'static str,
    name: &'static str,
    values: [Value; 2],
}

/// What is printed.
pub(super) struct Shown {
    attack: String,
    honest: usize,
    evil: usize,
    figures: Vec<Figure>,
    /// What the honest should have and have, what came twice, what was forged; without the attack and with it.
    sums: [Sums; 2],
}

/// What decides whether it went well.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) expected: u64,
    pub(super) delivered: u64,
    pub(super) twice: u64,
    pub(super) forged: u64,
}

impl Sums {
    fn is_good(self) -> bool {
        self.delivered == self.expected && self.twice == 0 && self.forged == 0
    }
}

impl Shown {
    pub(super) fn new(attack: &str, honest: usize, evil: usize, sums: [Sums; 2]) -> Self {
        let mut shown = Shown { attack: attack.to_owned(), honest, evil, figures: Vec::new(), sums };
        shown.add("expected", "deliveries due among the honest", sums.map(|sums| sums.expected));
        shown.add("delivered", "delivered", sums.map(|sums| sums.delivered));
        shown.add("twice", "delivered twice", sums.map(|sums| sums.twice));
        shown.add("forged", "forged and believed", sums.map(|sums| sums.forged));
        shown
    }

    /// One more line.
    pub(super) fn add<T: Into<Value>>(&mut self, key: &'static str, name: &'static str, values: [T; 2]) {
        self.figures.push(Figure { key, name, values: values.map(Into::into) });
    }

    pub(super) fn add_millis(&mut self, key: &'static str, name: &'static str, values: [Duration; 2]) {
        self.add(key, name, values.map(|value| (value.as_secs_f64() * 1e5).round() / 100.0));
    }

    /// What the honest dropped, refused and closed.
    pub(super) fn add_reasons(&mut self, both: [&BTreeMap<Reason, u64>; 2]) {
        let all: BTreeSet<Reason> = both.into_iter().flat_map(BTreeMap::keys).copied().collect();
        for reason in all {
            let counts = both.map(|of| of.get(&reason).copied().unwrap_or(0));
            self.add(reason.label(), reason.label(), counts);
        }
    }

    pub(super) fn simulated(attack: &str, without: &Outcome, with: &Outcome) -> Self {
        let both = [without, with];
        let sums = both.map(|of| Sums {
            expected: of.expected,
            delivered: of.delivered,
            twice: of.twice,
            forged: of.forged_delivered,
        });
        let mut shown = Shown::new(attack, with.honest, with.evil, sums);
        shown.add_millis("p50_ms", "latency p50, ms", both.map(|of| of.latency.p50));
        shown.add_millis("p99_ms", "latency p99, ms", both.map(|of| of.latency.p99));
        shown.add("verifications", "signatures verified by the honest", both.map(|of| of.verifications));
        shown.add("duplicates", "copies they had already", both.map(|of| of.duplicates));
        shown.add("shed", "dropped over a sender's budget", both.map(|of| of.shed));
        shown.add("kept_of_evil", "messages of invented senders kept, at most", both.map(|of| of.kept_of_evil));
        shown.add("index", "ids remembered, at most", both.map(|of| of.index));
        shown.add("members", "members known, at most", both.map(|of| of.members));
        shown.add("evil_links", "links with evil nodes at the end", both.map(|of| of.evil_links));
        shown.add("evil_barred", "evil neighbours barred by the honest", both.map(|of| of.evil_barred));
        shown.add("honest_barred", "honest neighbours barred by the honest", both.map(|of| of.honest_barred));
        shown.add(
            "newcomer_honest_links",
            "links of the newcomer with honest ones",
            both.map(|of| of.newcomer_honest_links),
        );
        shown.add("newcomer_links", "all its links", both.map(|of| of.newcomer_links));
        shown.add("dials_at_bystander", "dials at the bystander", both.map(|of| of.dials_at_bystander));
        shown.add_reasons(both.map(|of| &of.reasons));
        shown
    }

    pub(super) fn print(&self, json: bool, out: &mut Out) -> Result<(), Failure> {
        if json {
            let side = |n: usize| -> Map<String, Value> {
                self.figures.iter().map(|figure| (figure.key.to_owned(), figure.values[n].clone())).collect()
            };
            let (without, with) = (side(0), side(1));
            return out.json(&json!({
                "attack": self.attack, "honest": self.honest, "evil": self.evil, "without": without, "with": with,
            }));
        }
        out.line(format!("{}: {} honest nodes, {} evil", self.attack, self.honest, self.evil))?;
        let width = self.figures.iter().map(|figure| figure.name.len()).max().unwrap_or(0);
        out.line(format!("{NAME}{:width$}  {:>12}  {:>12}{NAME:#}", "", "without", "with"))?;
        for Figure { name, values: [without, with], .. } in &self.figures {
            out.line(format!("{NAME}{name:width$}{NAME:#}  {:>12}  {:>12}", text(without), text(with)))?;
        }
        if self.sums[1].is_good() {
            return out.line(format!("{GOOD}the honest got everything, once, and nothing forged{GOOD:#}"));
        }
        out.line(format!("{BAD}the attack did harm{BAD:#}"))
    }

    /// Whether the honest got everything.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let Sums { expected, delivered, twice, forged } = self.sums[1];
        if self.sums[1].is_good() {
            return Ok(());
        }
        Err(Failure::said(format!(
            "under the attack {delivered} of {expected} deliveries came about, {twice} twice, and {forged} forgeries were believed"
        )))
    }
}

fn text(value: &Value) -> String {
    value.as_f64().filter(|_| value.is_f64()).map_or_else(|| value.to_string(), |number| format!("{number:.2}"))
}
