//! Sent = delivered + everything explained + what is missing without an explanation.

use std::collections::BTreeMap;
use std::fmt;

use crate::overlay::{Instant, Reason};

use super::ledger::{Ledger, Message, MessageNumber};

/// Why a node has not got a message, though nothing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Explanation {
    /// It was over before this node could have had it.
    Expired,
    /// Every node that had it is down, or lost its log.
    HoldersLost,
    /// It was delivered here once, to a log that is lost.
    EarlierLife,
    /// This node refused it, and counted why.
    Refused(Reason),
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Explanation::Expired => f.pad("expired"),
            Explanation::HoldersLost => f.pad("holders-lost"),
            Explanation::EarlierLife => f.pad("earlier-life"),
            Explanation::Refused(reason) => f.pad(&format!("refused-{reason}")),
        }
    }
}

/// What became of every message at every node that is up at the end, but at its sender.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Messages times nodes that should have them.
    pub expected: u64,
    /// Of these, how many have them.
    pub delivered: u64,
    /// Of these, how many were away when it was published and got it later.
    pub late: u64,
    /// How many have not, for each explanation.
    pub explained: BTreeMap<Explanation, u64>,
    /// How many have not, and nobody can say why. More than none is a fault.
    pub unexplained: u64,
    /// Deliveries of what had been delivered to the same log. More than none is a fault.
    pub duplicates: u64,
}

impl Account {
    /// Whether everybody has everything that anybody has and that is not over.
    pub fn is_complete(&self) -> bool {
        let may_lack =
            |explanation: &Explanation| matches!(explanation, Explanation::Expired | Explanation::HoldersLost);
        self.unexplained == 0 && self.explained.iter().all(|(why, count)| *count == 0 || may_lack(why))
    }
}

/// How a node stands at the end.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Ending {
    /// Whether it is up.
    pub(in crate::sim) is_up: bool,
    /// The number of its log, from 1.
    pub(in crate::sim) log: u16,
    /// Since when it runs.
    pub(in crate::sim) since: Instant,
}

impl Ledger {
    /// The account, when the nodes stand like this. `reached` says since when a node (the second) is reached by what
    /// another (the first) sends.
    pub(in crate::sim) fn account(&self, nodes: &[Ending], reached: impl Fn(usize, usize) -> Instant) -> Account {
        let mut account = Account { duplicates: self.duplicates, ..Account::default() };
        for (number, message) in self.iter() {
            let is_held = nodes.iter().enumerate().any(|(place, node)| has(message, place, node));
            for (place, node) in nodes.iter().enumerate() {
                if !node.is_up || place == message.sender {
                    continue;
                }
                account.expected += 1;
                if has(message, place, node) {
                    account.delivered += 1;
                    account.late += u64::from(message.deliveries[place].is_late);
                    continue;
                }
                let since = node.since.max(reached(message.sender, place));
                match self.explain(number, message, place, since, is_held) {
                    Some(why) => *account.explained.entry(why).or_default() += 1,
                    None => account.unexplained += 1,
                }
            }
        }
        account
    }

    fn explain(
        &self,
        number: MessageNumber,
        message: &Message,
        place: usize,
        since: Instant,
        is_held: bool,
    ) -> Option<Explanation> {
        let refused = || self.refusals.get(&(number, place)).copied().map(Explanation::Refused);
        if since >= message.dies {
            Some(Explanation::Expired)
        } else if !is_held {
            Some(Explanation::HoldersLost)
        } else if message.deliveries.get(place).is_some_and(|delivery| delivery.log != 0) {
            Some(Explanation::EarlierLife)
        } else {
            refused()
        }
    }
}

fn has(message: &Message, place: usize, node: &Ending) -> bool {
    node.is_up && message.deliveries.get(place).is_some_and(|delivery| delivery.log == node.log)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Arrival;
    use super::*;
    use crate::envelope::EnvelopeId;

    fn at(secs: u64) -> Instant {
        Instant::at(Duration::from_secs(secs))
    }

    fn arrival(place: usize, log: u16, secs: u64) -> Arrival {
        Arrival { place, log, hops: 1, at: at(secs), since: at(0) }
    }

    fn up(log: u16, since: u64) -> Ending {
        Ending { is_up: true, log, since: at(since) }
    }

    fn account(ledger: &Ledger, nodes: &[Ending]) -> Account {
        ledger.account(nodes, |_, _| at(0))
    }

    /// Five nodes; node 0 says one message at 10 s that lives for a minute.
    fn one_said() -> (Ledger, MessageNumber) {
        let mut ledger = Ledger::new(5);
        let id = EnvelopeId::from_bytes([1; 32]);
        ledger.published(id, arrival(0, 1, 10), Duration::from_secs(60), false);
        let number = ledger.number(&id).unwrap();
        (ledger, number)
    }

    #[test]
    fn sent_is_delivered_and_explained_and_what_is_missing() {
        let (mut ledger, number) = one_said();
        ledger.delivered(number, arrival(1, 1, 11));
        ledger.refused(number, 2, Reason::BeforeFloor);
        let nodes = [up(1, 0), up(1, 0), up(1, 0), up(1, 70), up(1, 69)];
        let account = account(&ledger, &nodes);
        assert_eq!((account.expected, account.delivered, account.unexplained), (4, 1, 1), "node 4 could have had it");
        let explained = [(Explanation::Expired, 1), (Explanation::Refused(Reason::BeforeFloor), 1)];
        assert_eq!(account.explained, explained.into());
        assert!(!account.is_complete());
    }

    #[test]
    fn what_nobody_has_any_more_is_not_missing() {
        let (mut ledger, number) = one_said();
        ledger.delivered(number, arrival(1, 1, 11));
        let down = Ending { is_up: false, ..up(1, 0) };
        let account = account(&ledger, &[down, up(2, 20), up(1, 0), down, down]);
        assert_eq!(account.explained, [(Explanation::HoldersLost, 2)].into());
        assert_eq!((account.expected, account.delivered, account.unexplained), (2, 0, 0));
        assert!(account.is_complete());
    }

    #[test]
    fn what_went_to_a_log_that_is_lost_is_to_come_again_and_is_no_duplicate_then() {
        let (mut ledger, number) = one_said();
        ledger.delivered(number, arrival(1, 1, 11));
        let nodes = [up(1, 0), up(2, 20), Ending { is_up: false, ..up(1, 0) }, up(1, 80), up(1, 80)];
        let before = account(&ledger, &nodes);
        assert_eq!(before.explained.get(&Explanation::EarlierLife), Some(&1));
        assert!(!before.is_complete());
        ledger.delivered(number, Arrival { since: at(20), ..arrival(1, 2, 30) });
        let after = account(&ledger, &nodes);
        assert_eq!((after.delivered, after.late, after.duplicates), (1, 1, 0));
        assert!(after.is_complete());
        ledger.delivered(number, arrival(1, 2, 31));
        assert_eq!(account(&ledger, &nodes).duplicates, 1);
    }

    #[test]
    fn who_was_cut_off_until_it_was_over_could_not_have_it() {
        let (ledger, _) = one_said();
        let nodes = [up(1, 0); 5];
        let healed = |from: usize, to: usize| if (from < 3) == (to < 3) { at(0) } else { at(80) };
        let account = ledger.account(&nodes, healed);
        assert_eq!((account.explained, account.unexplained), ([(Explanation::Expired, 2)].into(), 2));
    }
}
