//! Closed networks: whose envelopes are taken, whom a node stays linked with, and what changes that.

use crate::access::{Attested, Authority, Certificate, Certified, Membership, Revocations, Rights, Serial};
use crate::identity::PublicKey;

use super::*;

/// The second at which these tests begin.
const BEGUN: u64 = BEGINNING / 1_000_000;
const BOTH: Rights = Rights::from_bits(3);

fn network() -> NetworkHash {
    NetworkHash::secure(&"test".parse().unwrap())
}

fn authority() -> Arc<Authority> {
    Arc::new(Authority::new(network(), PublicKey::decode(&id(200)).unwrap()))
}

/// What the authority says of `n`: a certificate with the number `serial`, from and to these seconds of the test.
fn issued(n: u8, serial: u8, span: (i64, i64), rights: Rights) -> Certificate {
    let at = |second: i64| BEGUN.checked_add_signed(second).unwrap();
    let membership = Membership {
        subject: id(n),
        serial: Serial::from_bytes([serial; 16]),
        not_before: at(span.0),
        not_after: at(span.1),
        rights,
        label: "m".parse().unwrap(),
    };
    Certificate::issue(&Identity::from_seed(&[200; 32]), &network(), membership).unwrap()
}

fn attested(certificate: &Certificate) -> Attested<Certificate> {
    authority().certificate(&certificate.encode()).unwrap()
}

/// A certificate for the whole of any test, with the member's number as its serial.
fn certificate(n: u8) -> Attested<Certificate> {
    attested(&issued(n, n, (-100_000, 1_000_000), BOTH))
}

fn list(epoch: u64, serials: &[u8]) -> Attested<Revocations> {
    let serials = serials.iter().map(|n| Serial::from_bytes([*n; 16]));
    let list = Revocations::issue(&Identity::from_seed(&[200; 32]), &network(), epoch, 0, serials).unwrap();
    authority().revocations(&list.encode()).unwrap()
}

/// A core of a closed network, whose neighbours are believed to live without showing it.
fn closed(settings: Settings) -> Alone {
    let settings = Settings { dead_after: Duration::from_secs(1_000_000), ..settings };
    Alone::admitting(settings, Admission::Certified(Certified::new(authority(), certificate(0), None)))
}

impl Alone {
    /// A connection that node `peer` opened, with what it shows.
    fn shown(&mut self, peer: u8, certificate: Option<Attested<Certificate>>) -> Result<LinkId, Refused> {
        let opening = Opening { certificate, epoch: Some(0), ..self.opening(peer, Direction::Inbound) };
        let link = opening.link;
        self.core.link_opened(self.now(), opening).map(|()| link)
    }

    fn member(&mut self, peer: u8) -> LinkId {
        let link = self.shown(peer, Some(certificate(peer))).unwrap();
        self.outputs();
        link
    }

    fn revoke(&mut self, from: Option<LinkId>, list: &Attested<Revocations>) -> (bool, Vec<Output>) {
        let is_news = self.core.revoke(self.now(), from, list);
        (is_news, self.outputs())
    }
}

/// The record of `n`, with a certificate or without.
fn record(n: u8, certificate: Option<&Certificate>, second: i64) -> Verified<Envelope> {
    let certificate = certificate.map(|certificate| certificate.encode().into());
    said(n, MEMBER_TITLE, MemberRecord { certificate, ..MemberRecord::default() }.encode(), second)
}

fn wanted_members(outputs: &[Output]) -> Vec<(LinkId, Vec<NodeId>)> {
    let wanted = |output: &Output| match output {
        Output::Send { link, frame: Frame::MembersWanted(ids) } => Some((*link, ids.iter().collect())),
        _ => None,
    };
    outputs.iter().filter_map(wanted).collect()
}

fn lists_sent(outputs: &[Output]) -> Vec<(LinkId, u64)> {
    let sent = |output: &Output| match output {
        Output::Send { link, frame: Frame::Revocations(bytes) } => {
            Some((*link, authority().revocations(bytes).unwrap().epoch()))
        }
        _ => None,
    };
    outputs.iter().filter_map(sent).collect()
}

fn gone_on(outputs: &[Output]) -> Vec<EnvelopeId> {
    let claimed = outputs.iter().filter_map(|output| match output {
        Output::Claimed(claimed) => Some(claimed.iter().map(|claimed| claimed.envelope().id())),
        _ => None,
    });
    claimed.flatten().collect()
}

#[test]
fn who_shows_no_certificate_that_counts_is_sent_away_after_hello() {
    let mut node = closed(Settings::local());
    let refused = |reason| Err(Refused { reason, goodbye: Some(GoodbyeCode::NotAdmitted) });
    for shown in [
        None,
        // Somebody else's.
        Some(certificate(2)),
        // Over by more than five minutes, not yet begun by more than that, or without the right.
        Some(attested(&issued(1, 1, (-1000, -301), BOTH))),
        Some(attested(&issued(1, 2, (301, 1000), BOTH))),
        Some(attested(&issued(1, 3, (-1000, 1000), Rights::PUBLISH))),
    ] {
        assert_eq!(node.shown(1, shown), refused(Reason::NotAdmitted));
    }
    assert_eq!(node.counted(Reason::NotAdmitted), 5);
    node.revoke(None, &list(1, &[4]));
    assert_eq!(node.shown(1, Some(attested(&issued(1, 4, (-1000, 1000), BOTH)))), refused(Reason::Revoked));
    // Nothing was learned of them, and it is nobody's fault.
    assert_eq!(node.core.link_count(), 0);
    for span in [(-1000, -300), (300, 1000), (-1000, 1000)] {
        let link = node.shown(1, Some(attested(&issued(1, 9, span, Rights::LINK)))).unwrap();
        node.core.close(link, None, Reason::Requested);
        node.core.link_closed(node.now(), link, Reason::Requested);
    }
}

#[test]
fn an_envelope_is_taken_by_the_certificate_that_covers_its_time_and_gives_the_right() {
    let mut node = closed(Settings::local());
    let link = node.member(1);
    node.brings(link, &record(2, Some(&issued(2, 2, (-1000, -400), BOTH)), -500));
    node.brings(link, &record(3, Some(&issued(3, 3, (-1000, 1000), Rights::LINK)), 0));
    for (author, second, reason) in [
        (1, 0, None),
        (2, -500, None),
        (2, -101, None),
        // There may be another certificate for that time: it waits, and is asked for.
        (2, -99, Some(Reason::AdmissionUnknown)),
        (3, 0, Some(Reason::NotAdmitted)),
    ] {
        let envelope = said(author, "t", format!("{second}"), second);
        node.brings(link, &envelope);
        node.wait(11_000);
        assert_eq!(node.core.has_accepted(&envelope.id()), reason.is_none(), "{author} at {second}");
        if let Some(reason) = reason {
            assert!(node.counted(reason) > 0, "{author} at {second}");
            assert_eq!(node.why(link, &envelope), Some(Reason::Duplicate), "it is indexed and not verified again");
        }
    }
    assert!(node.core.listens_to(node.now(), link), "the relay is not blamed");
}

#[test]
fn what_nobody_can_vouch_for_waits_ten_seconds_and_is_then_ignored_until_it_is_known() {
    let mut node = closed(Settings::local());
    let (link, other) = (node.member(1), node.member(2));
    let (first, second) = (said(3, "t", "first", 0), said(3, "t", "second", 0));
    let outputs = node.brings(link, &first);
    assert_eq!(wanted_members(&outputs), [(link, vec![id(3)])], "who brought it is asked");
    assert!(relayed(&outputs).is_empty() && !node.core.has_accepted(&first.id()));
    node.wait(9_900);
    assert_eq!(node.counted(Reason::AdmissionUnknown), 0);
    node.wait(200);
    assert_eq!(node.counted(Reason::AdmissionUnknown), 1);
    assert_eq!(node.why(other, &first), Some(Reason::Duplicate));

    // Its certificate comes: what waits goes on, and what was ignored may come again.
    node.brings(other, &second);
    let outputs = node.brings(other, &record(3, Some(&issued(3, 3, (-1000, 1000), BOTH)), 0));
    assert_eq!(gone_on(&outputs), [second.id()]);
    for output in outputs {
        if let Output::Claimed(claimed) = output {
            node.core.accept(node.now(), claimed);
        }
    }
    assert_eq!(relayed(&node.outputs()).iter().filter(|(id, _)| *id == second.id()).count(), 1);
    node.brings(link, &first);
    assert!(node.core.has_accepted(&first.id()) && node.core.has_accepted(&second.id()));
}

#[test]
fn what_waits_for_certificates_is_bounded_for_each_link() {
    let mut node = closed(Settings::local());
    let (link, other) = (node.member(1), node.member(2));
    for n in 0..100 {
        node.brings(link, &said(3, "t", format!("{n}"), 0));
    }
    assert_eq!((node.core.waiting.len(), node.counted(Reason::AdmissionUnknown)), (64, 36));
    for n in 0..20 {
        node.brings(other, &said(4, "t", vec![n; 100_000], 0));
    }
    assert_eq!(node.core.waiting.len(), 64 + 10, "no more than a mebibyte");
    // One who asks for the same again and again is not asked more often than is answered.
    assert!(node.core.links.values().all(|link| link.awaiting_peers <= 3));
    node.wait(12_000);
    assert_eq!(node.core.waiting.len(), 0);
    node.brings(link, &said(5, "t", "room again", 12));
    assert_eq!(node.core.waiting.len(), 1);
}

#[test]
fn a_record_admits_its_own_sender_and_nobody_else() {
    let mut node = closed(Settings::local());
    let link = node.member(1);
    let foreign = Certificate::issue(&Identity::from_seed(&[201; 32]), &network(), {
        issued(3, 3, (-1000, 1000), BOTH).membership().clone()
    });
    let other_network = Certificate::issue(
        &Identity::from_seed(&[200; 32]),
        &NetworkHash::secure(&"other".parse().unwrap()),
        issued(3, 3, (-1000, 1000), BOTH).membership().clone(),
    );
    for (n, bad) in [&issued(4, 4, (-1000, 1000), BOTH), &foreign.unwrap(), &other_network.unwrap()].iter().enumerate()
    {
        let record = record(3, Some(bad), n as i64);
        node.brings(link, &record);
        assert!(!node.core.has_accepted(&record.id()) && node.core.member_record(&id(3)).is_none());
    }
    let good = record(3, Some(&issued(3, 3, (-1000, 1000), BOTH)), 9);
    node.brings(link, &good);
    assert!(node.core.has_accepted(&good.id()) && node.core.member_record(&id(3)).is_some());
}

#[test]
fn a_revocation_closes_links_takes_contents_and_is_passed_on_at_once() {
    let mut node = closed(Settings::local());
    let (bad, good, from) = (node.member(1), node.member(2), node.member(3));
    let (theirs, others) = (said(1, "t", "gone", 0), said(2, "t", "stays", 0));
    node.brings(good, &theirs);
    node.brings(good, &others);
    node.brings(bad, &presence(1, 0, &[address(1)]));
    assert_eq!(node.core.member_state(&id(1)), Some(MemberState::Present));

    let (is_news, outputs) = node.revoke(Some(from), &list(1, &[1]));
    assert!(is_news);
    assert_eq!(closed_links(&outputs), [(bad, Some(GoodbyeCode::NotAdmitted), Reason::Revoked)]);
    assert_eq!(lists_sent(&outputs), [(bad, 1), (good, 1)], "to all but who brought it");
    assert_eq!(node.core.member_state(&id(1)), None);
    let withdrawal = outputs.iter().find_map(|output| match output {
        Output::Withdraw(withdrawal) => Some(withdrawal.clone()),
        _ => None,
    });
    let withdrawal = withdrawal.unwrap();
    assert!(withdrawal.takes(&id(1), wall(0)) && !withdrawal.takes(&id(2), wall(0)));
    assert!(!node.core.has_accepted(&theirs.id()) && node.core.has_accepted(&others.id()));
    assert_eq!(node.why(good, &theirs), Some(Reason::Duplicate), "it is not taken again");
    assert!(outputs.iter().any(|output| matches!(output, Output::KeepRevocations(list) if list.epoch() == 1)));
    let told = events(outputs);
    assert!(told.contains(&CoreEvent::Revoked { epoch: 1, members: vec![id(1)] }), "{told:?}");
    assert!(told.contains(&CoreEvent::Member { id: id(1), state: MemberState::Gone }), "{told:?}");

    // What it says from now on is seen and ignored, and whoever relays it is not blamed.
    node.brings(good, &said(1, "t", "still here", 1));
    assert!(node.counted(Reason::Revoked) >= 2 && node.core.listens_to(node.now(), good));
    // And it is not dialled again.
    node.core.link_closed(node.now(), bad, Reason::Revoked);
    let dialled = |output: &(u64, Output)| matches!(&output.1, Output::Dial { target: Target::Member { id: to, .. }, .. } if *to == id(1));
    assert!(!node.wait(120_000).iter().any(dialled));
    assert_eq!(node.core.reach(node.now(), &id(1)), Reach::Not(Reason::Revoked));
}

fn closed_links(outputs: &[Output]) -> Vec<(LinkId, Option<GoodbyeCode>, Reason)> {
    super::closed(outputs)
}

#[test]
fn only_a_list_with_a_higher_epoch_counts_and_who_holds_an_older_one_is_sent_it_at_hello() {
    let mut node = closed(Settings::local());
    let link = node.member(1);
    assert!(node.revoke(None, &list(5, &[9])).0);
    for (epoch, serials) in [(5, &[1][..]), (4, &[1]), (1, &[])] {
        let (is_news, outputs) = node.revoke(Some(link), &list(epoch, serials));
        assert!(!is_news && outputs.is_empty(), "{epoch}");
    }
    assert_eq!(node.core.link_count(), 1);
    for (peer, epoch, sent) in [(2, Some(4), true), (3, Some(5), false), (4, Some(6), false), (5, None, false)] {
        let opening = node.opening(peer, Direction::Inbound);
        let opening = Opening { certificate: Some(certificate(peer)), epoch, ..opening };
        let link = opening.link;
        node.core.link_opened(node.now(), opening).unwrap();
        let lists = lists_sent(&node.outputs());
        assert_eq!(lists, if sent { vec![(link, 5)] } else { vec![] }, "{epoch:?}");
    }
    // And what it announces says which it holds.
    let mut announced = closed(Settings::local());
    announced.revoke(None, &list(7, &[]));
    announced.core.add_own_address(announced.now(), address(99));
    let presences = announced.wait(60_000).into_iter().filter_map(|(_, output)| match output {
        Output::Announce { presence, .. } => Some(presence.epoch),
        _ => None,
    });
    assert_eq!(presences.last(), Some(7));
}

#[test]
fn a_link_ends_five_minutes_after_the_certificate_unless_another_has_come() {
    let mut node = closed(Settings::local());
    let short = |n| attested(&issued(n, n, (-1000, 100), BOTH));
    let (ends, stays) = (node.shown(1, Some(short(1))).unwrap(), node.shown(2, Some(short(2))).unwrap());
    node.outputs();
    node.brings(stays, &record(2, Some(&issued(2, 20, (0, 10_000), BOTH)), 0));
    let closings = |node: &mut Alone, millis| -> Vec<_> {
        node.wait(millis).into_iter().map(|(_, output)| output).flat_map(|output| super::closed(&[output])).collect()
    };
    assert!(closings(&mut node, 399_000).is_empty());
    assert_eq!(closings(&mut node, 3_000), [(ends, Some(GoodbyeCode::NotAdmitted), Reason::NotAdmitted)]);
    assert!(closings(&mut node, 9_000_000).is_empty());
    assert_eq!(closings(&mut node, 1_000_000), [(stays, Some(GoodbyeCode::NotAdmitted), Reason::NotAdmitted)]);
}

#[test]
fn another_certificate_brings_a_revoked_member_back_and_frees_what_it_says_then() {
    let mut node = closed(Settings::local());
    let (link, other) = (node.member(1), node.member(2));
    node.revoke(None, &list(1, &[1]));
    node.core.link_closed(node.now(), link, Reason::Revoked);
    node.wait(1_000);
    let again = said(1, "t", "again", 0);
    node.brings(other, &again);
    assert_eq!(node.why(other, &again), Some(Reason::Duplicate));
    let renewed = attested(&issued(1, 11, (-100, 1000), BOTH));
    assert!(node.shown(1, Some(renewed)).is_ok());
    node.brings(other, &again);
    assert!(node.core.has_accepted(&again.id()));
}

#[test]
fn a_list_of_members_admits_who_stands_in_it_from_the_moment_it_does() {
    let members = |ids: &[u8]| ids.iter().map(|n| id(*n)).collect::<std::collections::BTreeSet<_>>();
    let mut node = Alone::admitting(Settings::local(), Admission::Listed(members(&[0, 1, 2])));
    assert_eq!(node.core.admit(node.now(), &id(3)), Err(Reason::NotAdmitted));
    let (one, two) = (node.linked(1), node.linked(2));
    let (theirs, strangers) = (said(1, "t", "a member's", 0), said(3, "t", "a stranger's", 0));
    node.brings(two, &theirs);
    node.brings(two, &strangers);
    assert!(node.core.has_accepted(&theirs.id()) && !node.core.has_accepted(&strangers.id()));
    assert_eq!(node.counted(Reason::NotAdmitted), 1);
    assert!(node.core.listens_to(node.now(), two), "the relay is not blamed");

    node.core.set_members(node.now(), members(&[0, 2, 3]));
    let outputs = node.outputs();
    assert_eq!(super::closed(&outputs), [(one, Some(GoodbyeCode::NotAdmitted), Reason::NotAdmitted)]);
    assert!(!node.core.has_accepted(&theirs.id()));
    assert_eq!(node.core.admit(node.now(), &id(3)), Ok(()));
    node.brings(two, &strangers);
    assert!(node.core.has_accepted(&strangers.id()));
}

/// The word that shuts a network down, said by `n`.
fn shutdown(n: u8, second: i64, lifetime: Lifetime, message: &str) -> Verified<Envelope> {
    let (title, time) = (SHUTDOWN_TITLE.parse().unwrap(), wall(second * 1_000_000));
    let draft = Draft { title, message: message.to_owned().into(), time, lifetime };
    signer(n).publish(&draft).unwrap()
}

#[test]
fn only_who_has_the_right_shuts_the_network_down() {
    let live = Lifetime::LIVE_ONLY;
    let is_shut = |node: &mut Alone, link, envelope: &Envelope| {
        node.take_in(link, envelope);
        let outputs = node.outputs();
        let by = outputs.iter().any(
            |output| matches!(output, Output::Event(CoreEvent::NetworkShutDown { by }) if *by == envelope.sender()),
        );
        assert_eq!(by, relayed(&outputs).iter().any(|(id, _)| *id == envelope.id()), "it is passed on if it is obeyed");
        by
    };
    let may = || attested(&issued(1, 1, (-1000, 1000), Rights::from_bits(11)));
    let node = || {
        let mut node = closed(Settings::local());
        let link = node.shown(1, Some(may())).unwrap();
        node.member(2);
        node.member(3);
        node.outputs();
        (node, link)
    };
    let (mut open, mut link) = (Alone::new(), LinkId(0));
    link = LinkId(link.0.max(open.linked(1).0));
    assert!(!is_shut(&mut open, link, &shutdown(1, 1, live, "")), "in an open network nobody has it");
    assert_eq!(open.counted(Reason::NotAllowed), 1);

    let (mut closed, link) = node();
    assert!(!is_shut(&mut closed, link, &shutdown(2, 1, live, "")));
    assert_eq!(closed.counted(Reason::NotAllowed), 1);
    assert!(!is_shut(&mut closed, link, &shutdown(1, 1, Lifetime::hours(1), "")), "kept");
    assert!(!is_shut(&mut closed, link, &shutdown(1, 1, live, "now")), "with words");
    assert!(!is_shut(&mut closed, link, &shutdown(1, -1, live, "")), "from before the start");
    assert!(is_shut(&mut closed, link, &shutdown(1, 1, live, "")));
    // The authority needs no certificate for it.
    let (mut closed, link) = node();
    assert!(is_shut(&mut closed, link, &shutdown(200, 1, live, "")));
    let (mut closed, link) = node();
    assert!(!is_shut(&mut closed, link, &said(200, "t", "nor for anything else", 1)), "but for nothing else");
    closed.core.stop_with_network(closed.now());
    let goodbyes = super::closed(&closed.outputs());
    assert!(goodbyes.len() == 3 && goodbyes.iter().all(|(_, code, _)| *code == Some(GoodbyeCode::NetworkShutdown)));
}

/// What a core lets go of at once that goes on after a former run, in which it took one message of each of these.
fn let_go_of(admission: Admission, certificates: &[Attested<Certificate>], senders: &[u8]) -> Vec<u8> {
    let mut node = Alone::admitting(Settings::local(), admission);
    node.core.recall_certificates(node.now(), certificates);
    let said: Vec<_> = senders.iter().map(|n| (*n, said(*n, "t", "x", 0))).collect();
    for (_, of) in &said {
        node.core.remember(&Seen { id: of.id(), sender: of.sender(), time: of.time(), lifetime: of.lifetime() });
    }
    node.core.recall_departures();
    let outputs = node.outputs();
    let takes = |of: &Verified<Envelope>| {
        let mut withdrawals = outputs.iter().filter_map(|output| match output {
            Output::Withdraw(withdrawal) => Some(withdrawal),
            _ => None,
        });
        withdrawals.any(|withdrawal| withdrawal.takes(&of.sender(), of.time()))
    };
    for (n, of) in &said {
        assert_eq!(node.core.has_accepted(&of.id()), !takes(of), "{n}: the index and the log agree");
    }
    said.iter().filter(|(_, of)| takes(of)).map(|(n, _)| *n).collect()
}

#[test]
fn what_those_said_who_are_no_members_any_more_since_this_node_was_down_goes_from_its_log() {
    let certified = |list| Admission::Certified(Certified::new(authority(), certificate(0), list));
    let known = [certificate(1), certificate(2), attested(&issued(2, 20, (-1000, 1000), BOTH)), certificate(3)];
    assert_eq!(let_go_of(certified(None), &known, &[0, 1, 2, 3]), [0; 0]);
    assert_eq!(let_go_of(certified(Some(list(1, &[1, 2]))), &known, &[0, 1, 2, 3]), [1], "2 has another certificate");
    assert_eq!(let_go_of(certified(Some(list(1, &[1, 2, 20]))), &known, &[0, 1, 2, 3]), [1, 2]);
    assert_eq!(let_go_of(Admission::Listed([id(0), id(2)].into()), &[], &[0, 1, 2, 3]), [1, 3]);
    assert_eq!(let_go_of(Admission::Open, &[], &[0, 1]), [0; 0]);
}

#[test]
fn a_list_that_comes_after_a_restart_finds_those_who_were_members_before() {
    let mut node = closed(Settings::local());
    node.core.recall_certificates(node.now(), &[certificate(1)]);
    let theirs = said(1, "t", "x", 0);
    let (id, sender, time, lifetime) = (theirs.id(), theirs.sender(), theirs.time(), theirs.lifetime());
    node.core.remember(&Seen { id, sender, time, lifetime });
    let (_, outputs) = node.revoke(None, &list(1, &[1]));
    let takes = |output: &Output| matches!(output, Output::Withdraw(withdrawal) if withdrawal.takes(&sender, time));
    assert!(outputs.iter().any(takes) && !node.core.has_accepted(&id));
}

#[test]
fn a_certificate_that_is_news_is_written_down_once() {
    let mut node = closed(Settings::local());
    let kept = |outputs: Vec<Output>| {
        let kept = outputs.into_iter().filter_map(|output| match output {
            Output::KeepCertificate(certificate) => Some(certificate),
            _ => None,
        });
        kept.collect::<Vec<_>>()
    };
    node.shown(1, Some(certificate(1))).unwrap();
    assert_eq!(kept(node.outputs()), [certificate(1)]);
    node.core.recall_certificates(node.now(), &[certificate(2)]);
    node.core.learn_certificate(node.now(), &certificate(2));
    node.core.learn_certificate(node.now(), &certificate(1));
    assert!(kept(node.outputs()).is_empty());
}
