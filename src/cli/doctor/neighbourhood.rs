//! What the doctor makes of what it saw at the genesis nodes' doors.

use std::time::Duration;

use super::finding::Finding;
use super::probe::Seen;
use super::running::Running;
use crate::config::Config;
use crate::identity::NodeAddress;
use crate::overlay::TIME_TOLERANCE;
use crate::wire::GoodbyeCode;

/// The protocol's version that this program speaks.
const VERSION: u64 = 1;

/// What there is to say of the genesis nodes.
pub(super) fn examine(config: &Config, seen: &[(NodeAddress, Seen)], running: Option<&Running>) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        seen.iter().map(|(address, seen)| of_one(config, address, seen, running)).collect();
    if seen.is_empty() {
        let what = "the configuration names no other node to begin at";
        let remedy = "right for the first node of a network; for any other, name one or two in \"genesis\"";
        findings.push(Finding::note("genesis", what, remedy));
    }
    findings.extend(clock(seen));
    findings
}

fn of_one(config: &Config, address: &NodeAddress, seen: &Seen, running: Option<&Running>) -> Finding {
    let at = format!("{}:{}", address.host(), address.port());
    match seen {
        Seen::UnknownHost => Finding::bad(
            "genesis",
            format!("the host of {at} has no address"),
            "check its spelling and this machine's name service",
        ),
        Seen::Unreachable(why) => Finding::bad(
            "genesis",
            format!("nobody answers at {at}: {why}"),
            "is that node running, does it listen there (\"listen\"), and does a firewall let its port through?",
        ),
        Seen::SomebodyElse(found) => Finding::bad(
            "genesis",
            format!("at {at} answers {found}, and the configuration expects another key there"),
            "if that node was set up anew, put its new id into the configuration; if not, somebody is in between",
        ),
        Seen::OtherNetwork => Finding::bad(
            "network name",
            format!("at {at} is a node of another network than \"{}\"", config.network()),
            "compare \"network\" in both configurations: they must be the same, letter by letter",
        ),
        Seen::WantsNoNetworkKey => Finding::bad(
            "network key",
            format!("{at} has no network key, and this node has one"),
            "take \"network_key\" out here, or copy the key's file to every member and name it in every configuration",
        ),
        Seen::Silent if config.network_key().is_some() => Finding::guess(
            "network key",
            format!("{at} closes the connection without a word: it probably has another network key"),
            "compare the key's files; it may also be a plain node, a node of another version, or no node at all",
        ),
        Seen::Silent => Finding::guess(
            "network key",
            format!("{at} closes the connection without a word: it probably has a network key, and this node has none"),
            "copy the key's file from a member and name it in \"network_key\"; it may also be a plain node, a node of \
             another version, or no node at all",
        ),
        Seen::SentAway(goodbye) => sent_away(&at, goodbye.code),
        Seen::Odd(why) => Finding::guess("genesis", format!("{at}: {why}"), "look at that node: is it well?"),
        Seen::Member { version, .. } if *version < VERSION => Finding::bad(
            "version",
            format!("{at} speaks version {version} of the protocol, this program speaks {VERSION}"),
            "upgrade that node",
        ),
        Seen::Member { id, .. } if running.is_some_and(|running| !running.knows(id)) => Finding::bad(
            "two networks",
            format!(
                "{at} is of this network and the running node does not know it: two networks of the same name, which never met"
            ),
            format!(
                "link them, and they are one: `sealnet connect {address} --config {}`; if the configuration was changed, \
                 restart the node",
                config.path().unwrap_or("FILE".as_ref()).display()
            ),
        ),
        Seen::Member { id, agent, .. } => {
            Finding::good("genesis", format!("{at} is {id:#}, of this network ({agent})"))
        }
    }
}

fn sent_away(at: &str, code: GoodbyeCode) -> Finding {
    match code {
        GoodbyeCode::NotAdmitted => Finding::note(
            "genesis",
            format!("{at} is of this network and admits members alone; the doctor came as a stranger"),
            "whether it admits this node is shown when this node runs",
        ),
        GoodbyeCode::Full | GoodbyeCode::Overload => Finding::note(
            "genesis",
            format!("{at} is of this network and has no room at the moment"),
            "name a second genesis node, or raise [links] inbound there",
        ),
        code => Finding::note(
            "genesis",
            format!("{at} is of this network and said good-bye: {code:?}"),
            "look again in a minute",
        ),
    }
}

/// Compares clocks: with several others that agree it is certain whose is off.
fn clock(seen: &[(NodeAddress, Seen)]) -> Option<Finding> {
    let ahead: Vec<i128> = seen
        .iter()
        .filter_map(|(_, seen)| match seen {
            Seen::Member { ahead, .. } => Some(*ahead),
            _ => None,
        })
        .collect();
    let tolerated = TIME_TOLERANCE.as_micros() as i128;
    let off: Vec<i128> = ahead.iter().copied().filter(|by| by.abs() > tolerated).collect();
    let by = off.first()?;
    let span = Duration::from_micros(u64::try_from(by.unsigned_abs()).unwrap_or(u64::MAX));
    let minutes = span.as_secs().div_ceil(60);
    let direction = if *by > 0 { "behind" } else { "ahead of" };
    let remedy =
        "messages more than two minutes off are ignored: set the clock right, and let it follow a time server (NTP)";
    let others = off.len();
    if others > 1 && others == ahead.len() && off.iter().all(|other| (other - by).abs() < tolerated) {
        let what =
            format!("this machine's clock is {minutes} minutes {direction} those of {others} others, which agree");
        return Some(Finding::bad("clock", what, remedy));
    }
    let what = format!(
        "this machine's clock is {minutes} minutes {direction} that of a genesis node; which of the two is wrong cannot be told"
    );
    Some(Finding::guess("clock", what, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::NodeId;

    fn member(ahead_seconds: i128) -> (NodeAddress, Seen) {
        let address = format!("sealnet://{}@192.0.2.1:7400", NodeId::from_bytes([7; 32])).parse().unwrap();
        let seen = Seen::Member {
            id: NodeId::from_bytes([7; 32]),
            agent: "x".into(),
            version: 1,
            ahead: ahead_seconds * 1_000_000,
        };
        (address, seen)
    }

    #[test]
    fn whose_clock_is_off_is_certain_only_where_several_others_agree() {
        assert_eq!(clock(&[member(100), member(-100)]), None);
        let guess = clock(&[member(600)]).unwrap();
        assert!(!guess.sure && guess.what.contains("10 minutes behind"), "{guess:?}");
        let sure = clock(&[member(-600), member(-610)]).unwrap();
        assert!(sure.sure && sure.what.contains("10 minutes ahead of those of 2 others"), "{sure:?}");
        assert!(!clock(&[member(600), member(0)]).unwrap().sure);
    }
}
