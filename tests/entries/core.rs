//! The overlay's core, told anything in any order: by a host that does its part, and by neighbours who do not.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use sealnet::access::Admission;
use sealnet::envelope::{Draft, Envelope, EnvelopeId, Lifetime, Scheme, ShortId, Signed, Timestamp};
use sealnet::identity::{Identity, NetworkHash, NodeId};
use sealnet::overlay::{
    Broadcast, Claimed, Core, CoreEvent, DialId, Direction, Instant, Judged, LEAVE_TITLE, LinkId, MEMBER_TITLE,
    MemberRecord, Now, Offer, Opening, Output, PRESENCE_TITLE, Presence, Reason, Settings, Setup, Ticket,
};
use sealnet::wire::{Frame, FrameDecoder};

use super::Input;

/// The wall clock at the beginning, in µs.
const START: u64 = 1_700_000_000_000_000;

/// How many ids the core may remember: few, so that a short input fills its tables.
const IDS: usize = 24;
const MEMBERS: usize = 6;

/// Node 0 is the core's own; the others are who may be at the other end, and who may have written something.
const PEOPLE: usize = 6;

fn people() -> &'static [Signed; PEOPLE] {
    static PEOPLE: OnceLock<[Signed; self::PEOPLE]> = OnceLock::new();
    PEOPLE.get_or_init(|| {
        let network = NetworkHash::secure(&"a".parse().expect("a name"));
        [0, 1, 2, 3, 4, 5].map(|n| Signed::new(network, Arc::new(Identity::from_seed(&[n; 32]))))
    })
}

fn id(n: usize) -> NodeId {
    people()[n % PEOPLE].own_id()
}

fn address(n: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n as u8], 7_400))
}

/// An envelope that may arrive, and whether its author signed it.
struct Arriving {
    envelope: Envelope,
    is_good: bool,
}

/// Made once: signing is slow beside everything else here.
fn arriving() -> &'static [Arriving] {
    static ALL: OnceLock<Vec<Arriving>> = OnceLock::new();
    ALL.get_or_init(|| {
        let presence = |n: usize| Presence { addresses: vec![address(n)], ..Presence::default() }.encode();
        let mut all = Vec::new();
        for (n, author) in people().iter().enumerate() {
            for (at, lifetime) in
                [(-90, 0), (-1, 3_600), (0, 0), (5, 600), (130, 600), (2_000, 3_600), (-80_000, 86_400)]
            {
                let contents = [
                    ("t", b"says something".to_vec()),
                    ("t", vec![b'x'; 600]),
                    (PRESENCE_TITLE, presence(n)),
                    (PRESENCE_TITLE, b"{".to_vec()),
                    (LEAVE_TITLE, Vec::new()),
                    (MEMBER_TITLE, MemberRecord { name: "m".into(), ..MemberRecord::default() }.encode()),
                    ("sealnet/later", b"?".to_vec()),
                ];
                for (title, message) in contents {
                    let time = START.saturating_add_signed(at * 1_000_000 + n as i64);
                    let draft = Draft {
                        title: title.parse().expect("a title"),
                        message: message.into(),
                        time: Timestamp::from_micros(time).expect("a time"),
                        lifetime: Lifetime::secs(lifetime),
                    };
                    let good = author.publish(&draft).expect("short enough");
                    let mut bytes = good.as_bytes().to_vec();
                    let last = bytes.len() - 40;
                    bytes[last] ^= 1;
                    all.push(Arriving { envelope: Envelope::clone(&good), is_good: true });
                    let forged = author.parse(bytes.into()).expect("the same grammar");
                    all.push(Arriving { envelope: forged, is_good: false });
                }
            }
        }
        all
    })
}

/// A host with one core, and what it must remember to know what may not happen.
struct Host {
    core: Core,
    millis: u64,
    next_link: u64,
    /// Open links, and who is at the other end.
    links: BTreeMap<LinkId, usize>,
    /// Links the core asked to have closed.
    closing: BTreeSet<LinkId>,
    dials: Vec<DialId>,
    tickets: Vec<(Ticket, Envelope)>,
    claimed: Vec<Claimed>,
    /// Ids that were claimed, and by a host's word may not come again.
    taken: BTreeSet<EnvelopeId>,
    /// Who is known to have an envelope, because it came from there.
    brought: BTreeSet<(EnvelopeId, LinkId)>,
    own_time: Timestamp,
}

/// Anything happens to a core in any order. It keeps its tables within their bounds, takes no envelope twice and none that
/// its author did not sign, speaks only to those it is linked with, sends nothing back where it came from, and always gets
/// to the end of what is due.
pub(crate) fn core(data: &[u8]) {
    let mut input = Input::new(data);
    let mut host = Host::new(&mut input);
    // A bound, so that one input does not take for ever.
    for _ in 0..400 {
        if input.is_empty() {
            break;
        }
        host.step(&mut input);
        host.act();
        host.check();
    }
}

impl Host {
    fn new(input: &mut Input<'_>) -> Self {
        let preset = [Settings::local(), Settings::lan(), Settings::wan()][input.below(3)].clone();
        let steer = input.byte();
        let settings = Settings {
            broadcast: Broadcast::ALL[usize::from(steer) % 3],
            history: steer & 4 == 0,
            target_links: 3,
            max_links: 4,
            inbound_links: 5,
            index_capacity: IDS,
            member_capacity: MEMBERS,
            ..preset
        };
        let genesis = if steer & 8 == 0 { Vec::new() } else { vec![Some(id(1)), None] };
        let setup = Setup {
            own: id(0),
            settings,
            genesis,
            addresses: vec![address(0)],
            features: vec!["reconcile".to_owned()],
            apps: BTreeMap::from([("t".to_owned(), "1".to_owned())]),
            seed: [steer; 32],
            admission: Admission::default(),
        };
        let mut core = Core::new(setup, now(0));
        core.start(now(0));
        let mut host = Host {
            core,
            millis: 0,
            next_link: 0,
            links: BTreeMap::new(),
            closing: BTreeSet::new(),
            dials: Vec::new(),
            tickets: Vec::new(),
            claimed: Vec::new(),
            taken: BTreeSet::new(),
            brought: BTreeSet::new(),
            own_time: Timestamp::default(),
        };
        host.act();
        host
    }

    fn now(&self) -> Now {
        now(self.millis)
    }

    /// One of the open links, or now and then one that is gone.
    fn link(&self, input: &mut Input<'_>) -> LinkId {
        let which = input.byte();
        if which == 0xFF {
            return LinkId(self.next_link.saturating_sub(1));
        }
        let nth = usize::from(which) % self.links.len().max(1);
        self.links.keys().nth(nth).copied().unwrap_or(LinkId(0))
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let now = self.now();
        match input.below(20) {
            0 => self.open(input),
            1 => {
                let link = self.link(input);
                let reasons = [Reason::ConnectionLost, Reason::PeerLeft, Reason::BadRecord, Reason::Stuck];
                let reason = reasons[input.below(reasons.len())];
                if self.links.remove(&link).is_some() {
                    self.closing.remove(&link);
                    self.core.link_closed(now, link, reason);
                }
            }
            // Envelopes, more likely than the rest.
            2..=5 => self.offer(input),
            6 => self.verify(input),
            7 => self.judge(input),
            8 => self.pass_time(input),
            9 => {
                if let Ok(time) = self.core.draw_time(now) {
                    assert!(time > self.own_time, "a time was drawn twice");
                    self.own_time = time;
                    let draft = Draft {
                        title: "t".parse().expect("a title"),
                        message: Bytes::new(),
                        time,
                        lifetime: Lifetime::secs(u32::from(input.byte())),
                    };
                    let envelope = people()[0].publish(&draft).expect("short enough");
                    assert!(self.taken.insert(envelope.id()));
                    self.core.publish(now, envelope);
                }
            }
            10 => {
                let link = self.link(input);
                let ids: Vec<EnvelopeId> = (0..input.below(6)).map(|_| some_id(input)).collect();
                let short = |id: &EnvelopeId| ShortId::from(id);
                let frame = match input.below(5) {
                    0 => Frame::Have(ids.into_iter().collect()),
                    1 => Frame::Want(ids.into_iter().collect()),
                    2 => Frame::News(ids.iter().map(short).collect()),
                    3 => Frame::Want(ids.iter().map(|id| short(id).padded()).collect()),
                    _ => Frame::Absent(ids.into_iter().collect()),
                };
                self.core.frame(now, link, frame);
            }
            11 => {
                let link = self.link(input);
                let frames = [Frame::Eager, Frame::Lazy, Frame::Ping([1; 8]), Frame::Pong([0; 8])];
                let frame = frames[input.below(frames.len())].clone();
                self.core.frame(now, link, frame);
            }
            // Any frame that has a grammar.
            12 | 13 => {
                let link = self.link(input);
                let kind =
                    [0x02, 0x03, 0x04, 0x10, 0x12, 0x21, 0x22, 0x25, 0x30, 0x30, 0x30, 0x50, 0x90][input.below(13)];
                let len = usize::from(input.byte());
                let body = input.bytes(len);
                let mut decoder = FrameDecoder::new();
                decoder.push([&(body.len() as u32).to_be_bytes(), &[kind][..], body].concat());
                if let Ok(Some(frame)) = decoder.next_frame() {
                    self.core.frame(now, link, frame);
                }
            }
            14 => {
                let link = self.link(input);
                self.core.peers_answered(now, link);
            }
            15 => {
                let link = self.link(input);
                self.core.drained(now, link);
            }
            16 => {
                if let Some(dial) = self.dials.pop() {
                    let reasons =
                        [Reason::Unreachable, Reason::WrongIdentity, Reason::PeerFull, Reason::HandshakeTimeout];
                    match input.below(5) {
                        4 => self.core.dial_declined(now, dial, Duration::from_secs(u64::from(input.byte()))),
                        n => self.core.dial_failed(now, dial, reasons[n]),
                    }
                }
            }
            17 => {
                let peer = id(input.below(PEOPLE));
                match input.below(4) {
                    0 => drop(
                        self.core
                            .dial_on_demand(now, peer, address(input.below(PEOPLE)))
                            .map(|dial| self.dials.push(dial)),
                    ),
                    1 => drop(self.core.ask_members(now, &[peer])),
                    2 => drop(self.core.reach(now, &peer)),
                    _ => self.core.add_own_address(now, address(usize::from(input.byte()))),
                }
            }
            18 => {
                let link = self.link(input);
                match input.below(4) {
                    0 => self.core.in_use(now, &[link]),
                    1 => self.core.close_idle(link),
                    2 => self.core.send_ping(now, link),
                    _ => self.core.renew(now, link),
                }
            }
            _ if input.byte() == 0xFF => self.core.stop(now),
            _ => {}
        }
    }

    fn open(&mut self, input: &mut Input<'_>) {
        self.next_link += 1;
        let (link, steer, peer) = (LinkId(self.next_link), input.byte(), input.below(PEOPLE));
        let dial = if steer & 1 == 0 { None } else { self.dials.pop() };
        let direction = if dial.is_some() || steer & 2 == 0 { Direction::Outbound } else { Direction::Inbound };
        let time = self.now().wall;
        let opening = Opening {
            link,
            dial,
            peer: id(peer),
            direction,
            remote: address(peer),
            listen: vec![address(usize::from(steer))],
            time: if steer & 4 == 0 { time } else { time.plus(Duration::from_secs(3_000)) },
            renew: steer & 8 != 0,
            reconcile: steer & 16 == 0,
            tree: steer & 32 == 0,
            news: steer & 32 == 0,
            members: steer & 64 == 0,
            certificate: None,
            epoch: None,
        };
        let now = self.now();
        if self.core.link_opened(now, opening).is_ok() {
            assert_ne!(peer, 0, "linked with itself");
            self.links.insert(link, peer);
        }
    }

    fn offer(&mut self, input: &mut Input<'_>) {
        let link = self.link(input);
        let vouched = input.byte() % 4 == 3;
        let mut batch = Vec::new();
        for _ in 0..1 + input.below(3) {
            batch.push(some_envelope(input).envelope.clone());
        }
        let ids: Vec<EnvelopeId> = batch.iter().map(Envelope::id).collect();
        let offers = self.core.offer(self.now(), link, vouched, batch);
        assert_eq!(offers.len(), ids.len());
        for (offer, id) in offers.into_iter().zip(ids) {
            match offer {
                Offer::Verify(ticket, envelope) => {
                    assert_eq!((ticket.link(), envelope.id()), (link, id));
                    let twice = self.tickets.iter().any(|(_, other)| other.id() == id);
                    assert!(!twice, "an envelope is to be verified twice at a time");
                    self.tickets.push((ticket, envelope));
                }
                Offer::Parked => assert!(self.tickets.iter().any(|(_, other)| other.id() == id)),
                Offer::Drop(_) => {}
            }
        }
    }

    fn verify(&mut self, input: &mut Input<'_>) {
        if self.tickets.is_empty() {
            return;
        }
        let (ticket, envelope) = self.tickets.swap_remove(input.below(self.tickets.len()));
        let (link, id) = (ticket.link(), envelope.id());
        let is_good = arriving().iter().any(|one| one.is_good && one.envelope == envelope);
        let gives_up = input.byte() == 0xFF;
        let judged = if gives_up { Judged::given_up(ticket) } else { Judged::by(&people()[0], ticket, envelope) };
        assert!(gives_up || judged.is_good() == is_good, "the rule of verification");
        let verdicts = self.core.verified(self.now(), vec![judged]);
        for claimed in verdicts.claimed {
            assert!(is_good && !gives_up && claimed.envelope().id() == id);
            assert!(self.taken.insert(id), "an envelope is taken twice");
            self.brought.insert((id, link));
            self.claimed.push(claimed);
        }
        self.tickets.extend(verdicts.again);
    }

    /// The application's word, or the log's.
    fn judge(&mut self, input: &mut Input<'_>) {
        if self.claimed.is_empty() {
            return;
        }
        let claimed = self.claimed.swap_remove(input.below(self.claimed.len()));
        let now = self.now();
        match input.below(8) {
            5 => self.core.refuse(claimed, Reason::ApplicationIgnored),
            6 => self.core.reject(now, claimed, "t"),
            7 => {
                // It may come again, and then somebody else is who brought it.
                let id = claimed.envelope().id();
                self.taken.remove(&id);
                self.brought.retain(|(other, _)| *other != id);
                self.core.unremember(now, &claimed, Reason::LogFull);
            }
            _ => {
                let id = claimed.envelope().id();
                self.core.accept(now, vec![claimed]);
                let _ = self.core.has_accepted(&id);
            }
        }
    }

    fn pass_time(&mut self, input: &mut Input<'_>) {
        let (scale, amount) = (input.below(6) as u32, u64::from(input.byte()));
        let until = self.millis + amount * 10_u64.pow(scale);
        // As a host does: from one thing that is due to the next.
        for _ in 0..200 {
            let Some(due) = self.core.next_timer().map(|at| at.since_start().as_micros().div_ceil(1_000) as u64) else {
                break;
            };
            if due > until {
                break;
            }
            self.millis = self.millis.max(due);
            self.core.tick(self.now());
            let next = self.core.next_timer();
            assert!(next.is_none_or(|at| at > self.now().instant), "what is due is never done");
            self.act();
        }
        self.millis = until;
        self.core.tick(self.now());
    }

    fn act(&mut self) {
        // What it does causes more.
        loop {
            let outputs = self.core.take_outputs();
            if outputs.is_empty() {
                return;
            }
            outputs.into_iter().for_each(|output| self.act_on(output));
        }
    }

    /// Does, or does not, what the core asks for; and looks at whether it may ask for it.
    fn act_on(&mut self, output: Output) {
        match output {
            Output::Send { link, frame } => {
                self.assert_linked(link);
                let mut bytes = Vec::new();
                frame.encode_into(&mut bytes).expect("within its kind's limit");
                let mut decoder = FrameDecoder::new();
                decoder.push(bytes);
                assert_eq!(decoder.next_frame(), Ok(Some(frame)));
            }
            Output::Relay { envelope, to } => {
                let different: BTreeSet<&LinkId> = to.iter().collect();
                assert_eq!(different.len(), to.len(), "twice to one link");
                for link in to {
                    self.assert_linked(link);
                    assert!(!self.brought.contains(&(envelope.id(), link)), "sent back where it came from");
                }
            }
            Output::Serve { link, ids } => {
                self.assert_linked(link);
                assert!(ids.len() <= 1_000);
            }
            Output::Dial { dial, target } => {
                let _ = format!("{target:?}");
                assert!(!self.dials.contains(&dial));
                self.dials.push(dial);
            }
            Output::Close { link, .. } => {
                self.assert_linked(link);
                assert!(self.closing.insert(link), "closed twice");
            }
            Output::Announce { presence, lifetime } => {
                assert!(lifetime > Duration::ZERO && presence.encode().len() <= 4_096);
                // The host signs and publishes it.
                if let Ok(time) = self.core.draw_time(self.now()) {
                    self.own_time = time;
                    let draft = Draft {
                        title: PRESENCE_TITLE.parse().expect("a title"),
                        message: presence.encode().into(),
                        time,
                        lifetime: Lifetime::secs(lifetime.as_secs() as u32),
                    };
                    let envelope = people()[0].publish(&draft).expect("short enough");
                    self.core.publish(self.now(), envelope);
                }
            }
            Output::Remember(peers) => assert!(peers.len() <= 64, "{} remembered", peers.len()),
            Output::Event(CoreEvent::LinkOpened { peer, .. }) => assert_ne!(peer, id(0)),
            Output::Event(_) => {}
            Output::Claimed(_) | Output::Withdraw(_) | Output::KeepRevocations(_) | Output::KeepCertificate(_) => {
                panic!("access is open")
            }
        }
    }

    fn assert_linked(&self, link: LinkId) {
        // The link that is being opened right now counts.
        assert!(self.links.contains_key(&link), "{link:?} is no link");
    }

    fn check(&self) {
        assert!(self.core.index_len() <= IDS, "{} ids", self.core.index_len());
        assert!(self.core.member_count() <= MEMBERS + 1, "{} members", self.core.member_count());
        assert!(self.core.link_count() <= self.links.len());
        let links = self.core.links();
        let peers: BTreeSet<NodeId> = links.iter().map(|link| link.peer).collect();
        assert!(!peers.contains(&id(0)));
        for link in links {
            assert_eq!(self.links.get(&link.link).map(|peer| id(*peer)), Some(link.peer));
        }
    }
}

fn some_envelope(input: &mut Input<'_>) -> &'static Arriving {
    &arriving()[usize::from(input.number()) % arriving().len()]
}

fn some_id(input: &mut Input<'_>) -> EnvelopeId {
    let steer = input.byte();
    if steer == 0xFF { EnvelopeId::from_bytes([input.byte(); 32]) } else { some_envelope(input).envelope.id() }
}

fn now(millis: u64) -> Now {
    let wall = Timestamp::from_micros(START + millis * 1_000).expect("a time");
    Now { instant: Instant::at(Duration::from_millis(millis)), wall }
}

pub(crate) fn core_seeds() -> Vec<Vec<u8>> {
    let open = |peer: u8| vec![0, 2, peer];
    let offer = |which: u16| [&[2, 0, 0, 0][..], &which.to_be_bytes()].concat();
    let (verify, accept, wait) = (vec![6, 0, 0], vec![7, 0, 0], vec![8, 3, 4]);
    let plain = [vec![0, 0], open(1), open(2), wait.clone(), offer(16), verify.clone(), accept.clone(), wait.clone()];
    let tree = [
        vec![1, 1],
        open(1),
        open(2),
        open(3),
        vec![11, 0, 1],
        wait.clone(),
        vec![10, 1, 2, 0, 0, 16, 0, 0, 18, 0],
        wait.clone(),
    ];
    let repair = [vec![2, 8], open(1), vec![15, 0], wait.clone(), vec![12, 0, 8, 7, 0x81, 0, 1, 1, 2, 3, 4], wait];
    vec![plain.concat(), tree.concat(), repair.concat(), [vec![0, 0], open(1), vec![9, 9], vec![1, 0, 0]].concat()]
}
