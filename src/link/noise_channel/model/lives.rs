//! What an end becomes by what it is told: run once by the real code, remembered for every order that leads there.

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncWrite, DuplexStream, ReadBuf};

use super::*;
use crate::link::record::HEAD_LEN;
use crate::noise::{PublicKey, Role, TAG_LEN};

/// A message or a part of one, by its number among all that were ever said.
pub(super) type Part = u16;

/// One life of an end, by its number.
pub(super) type LifeId = u16;

/// What an attacker may put before an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Delivery {
    /// An ephemeral key, and with a network key a tag, dressed as the beginning of a connection.
    First(Part, Option<Part>),
    /// Ephemeral key, encrypted static key, encrypted proof.
    Second(Part, Part, Part),
    /// Encrypted static key, encrypted proof.
    Third(Part, Part),
    /// A message as it was said, whether it belongs here or not.
    Whole(Part),
}

/// What an end waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    First,
    Second,
    Third,
    Record,
    Nothing,
}

/// All that was said in a life, whole and in parts.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) whole: Vec<Part>,
    pub(super) ephemerals: Vec<Part>,
    pub(super) tags: Vec<Part>,
    pub(super) statics: Vec<Part>,
    pub(super) proofs: Vec<Part>,
}

/// An end that was told certain things, and has refused none of them.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) end: usize,
    told: Vec<Vec<u8>>,
    pub(super) waits: Waits,
    pub(super) said: Said,
    /// The handshake's messages as this end saw them, in their order.
    pub(super) transcript: Vec<u8>,
    /// Who is at the other end, once it has accepted.
    pub(super) peer: Option<NodeId>,
    /// The end that sealed the record which opened here.
    pub(super) heard: Option<usize>,
}

/// Who an end is.
pub(super) struct End {
    pub(super) role: Role,
    pub(super) id: NodeId,
    pub(super) expected: Option<NodeId>,
    who: u8,
    ephemeral: [u8; 32],
}

pub(super) struct Lives {
    pub(super) ends: Vec<End>,
    /// One channel a node: it serves as both initiator and responder, as in a process.
    channels: HashMap<u8, NoiseChannel>,
    pub(super) lives: Vec<Life>,
    parts: Vec<Vec<u8>>,
    numbers: HashMap<Vec<u8>, Part>,
    outcomes: HashMap<(LifeId, Delivery), Option<LifeId>>,
    network_key: Option<NetworkKey>,
    /// For the deadlines, which never come.
    clock: tokio::runtime::Runtime,
}

/// What came of running an end.
struct Run {
    said: Vec<Vec<u8>>,
    outcome: Poll<Result<Secured, LinkError>>,
}

impl Lives {
    pub(super) fn new(sessions: &[Session], network_key: bool) -> Self {
        let id = |who: u8| Identity::from_seed(&[who; 32]).id();
        let mut ends = Vec::new();
        for (n, session) in (0_u8..).zip(sessions) {
            let (initiator, responder) = (session.initiator, session.responder);
            for (role, who, expected) in
                [(Role::Initiator, initiator, session.expected.map(id)), (Role::Responder, responder, None)]
            {
                let ephemeral = [100 + 2 * n + u8::from(role == Role::Responder); 32];
                ends.push(End { role, id: id(who), expected, who, ephemeral });
            }
        }
        let clock = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let mut lives = Lives {
            ends,
            channels: HashMap::new(),
            lives: Vec::new(),
            parts: Vec::new(),
            numbers: HashMap::new(),
            outcomes: HashMap::new(),
            network_key: network_key.then(|| NetworkKey::from_bytes(&[9; 32])),
            clock,
        };
        for end in 0..lives.ends.len() {
            let who = lives.ends[end].who;
            let channel = lives.channel(who);
            lives.channels.entry(who).or_insert(channel);
            let born = lives.live(end, Vec::new()).expect("nobody has told it anything");
            assert_eq!(usize::from(born), end);
        }
        lives
    }

    fn channel(&self, who: u8) -> NoiseChannel {
        let network = NetworkHash::secure(&"model".parse().unwrap());
        let identity = Arc::new(Identity::from_seed(&[who; 32]));
        let channel = NoiseChannel::new(identity, network, self.network_key.as_ref()).unwrap();
        NoiseChannel { static_key: Arc::new(Keypair::from_secret(&[50 + who; 32])), ..channel }
    }

    pub(super) fn life(&self, id: LifeId) -> &Life {
        &self.lives[usize::from(id)]
    }

    /// How many different deliveries the real code has judged.
    pub(super) fn judged(&self) -> usize {
        self.outcomes.len()
    }

    /// What becomes of a life when something is put before it; `None` if it ends.
    pub(super) fn after(&mut self, life: LifeId, delivery: Delivery) -> Option<LifeId> {
        if let Some(known) = self.outcomes.get(&(life, delivery)) {
            return *known;
        }
        let bytes = self.bytes(life, delivery);
        let before = self.life(life);
        let told = [&before.told[..], &[bytes]].concat();
        let outcome = self.live(before.end, told);
        self.outcomes.insert((life, delivery), outcome);
        outcome
    }

    fn bytes(&self, life: LifeId, delivery: Delivery) -> Vec<u8> {
        let part = |part: Part| &self.parts[usize::from(part)][..];
        let message = |parts: &[&[u8]]| {
            let body = parts.concat();
            [&u16::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
        };
        match delivery {
            Delivery::First(e, tag) => {
                let preamble = self.channels[&self.ends[self.life(life).end].who].preamble();
                [preamble.as_bytes(), &message(&[part(e), tag.map(part).unwrap_or_default()])[..]].concat()
            }
            Delivery::Second(e, s, proof) => message(&[part(e), part(s), part(proof)]),
            Delivery::Third(s, proof) => message(&[part(s), part(proof)]),
            Delivery::Whole(whole) => part(whole).to_vec(),
        }
    }

    /// Runs an end from its beginning; `None` if it refuses what it is told last.
    fn live(&mut self, end: usize, told: Vec<Vec<u8>>) -> Option<LifeId> {
        let role = self.ends[end].role;
        // The last thing an end is told is a record; all before belongs to the handshake.
        let handshake = told.len().min(if role == Role::Initiator { 1 } else { 2 });
        let Run { mut said, outcome } = self.run(end, &told[..handshake]);
        let (mut peer, mut heard) = (None, None);
        let waits = match outcome {
            Poll::Ready(Err(_)) => return None,
            Poll::Ready(Ok(secured)) => {
                peer = secured.peer;
                if role == Role::Initiator {
                    said.push(secured.unsent);
                }
                let (mut sealer, mut opener) = secured.records.expect("it is a secure channel");
                let mut record = vec![0; HEAD_LEN + 1 + TAG_LEN];
                record[HEAD_LEN] = u8::try_from(end).unwrap();
                sealer.seal(&mut record).unwrap();
                said.push(record);
                match told.get(handshake) {
                    None => Waits::Record,
                    Some(record) => {
                        heard = Some(open_record(&mut opener, record)?);
                        Waits::Nothing
                    }
                }
            }
            Poll::Pending => match (role, told.len()) {
                (Role::Initiator, 0) => Waits::Second,
                (Role::Responder, 0) => Waits::First,
                (Role::Responder, 1) => Waits::Third,
                _ => panic!("end {end} is undecided about {told:02x?}"),
            },
        };
        let messages = said.iter().take(if role == Role::Initiator { 2 } else { 1 });
        let transcript: Vec<&Vec<u8>> = match role {
            Role::Initiator => alternate(messages, told[..handshake].iter()),
            Role::Responder => alternate(told[..handshake].iter(), messages),
        };
        let transcript = transcript.into_iter().flatten().copied().collect();
        let said = self.take_apart(role, &said);
        let life = Life { end, told, waits, said, transcript, peer, heard };
        self.lives.push(life);
        Some(LifeId::try_from(self.lives.len() - 1).unwrap())
    }

    /// Runs the channel's own handshake.
    fn run(&self, end: usize, told: &[Vec<u8>]) -> Run {
        let _clock = self.clock.enter();
        let end = &self.ends[end];
        let channel = &self.channels[&end.who];
        // What was heard before by others on this channel is not remembered here: that leaves the attacker more.
        let channel = NoiseChannel {
            identity: Arc::clone(&channel.identity),
            network: channel.network,
            static_key: Arc::clone(&channel.static_key),
            psk: channel.psk.clone(),
            first_messages: Mutex::default(),
        };
        let begin = || channel.begin()?.fixed_ephemeral_for_test_vectors_only(Keypair::from_secret(&end.ephemeral));
        let (here, mut there) = tokio::io::duplex(1 << 12);
        let admit: &Admit<'_> = &|_| true;
        let opening: Opening<'_> = match end.role {
            Role::Initiator => Box::pin(channel.initiate(begin(), here.into(), end.expected, admit)),
            Role::Responder => Box::pin(channel.respond(begin, here.into(), admit)),
        };
        let mut opening = pin!(opening);
        let mut cx = Context::from_waker(Waker::noop());
        let mut said = Vec::new();
        let mut outcome = opening.as_mut().poll(&mut cx);
        said.extend(heard_on(&mut there, &mut cx));
        for message in told {
            if outcome.is_ready() {
                break;
            }
            write_to(&mut there, &mut cx, message);
            outcome = opening.as_mut().poll(&mut cx);
            said.extend(heard_on(&mut there, &mut cx));
        }
        Run { said, outcome }
    }

    /// Gives what was said, and every part of it, into the attacker's hands.
    fn take_apart(&mut self, role: Role, messages: &[Vec<u8>]) -> Said {
        let mut said = Said { whole: messages.iter().map(|message| self.number(message)).collect(), ..Said::default() };
        let (statics, proofs) = match (role, messages) {
            (Role::Initiator, [first, rest @ ..]) => {
                let (e, tag) = first[Preamble::LEN + 2..].split_at(PublicKey::LEN);
                said.ephemerals.push(self.number(e));
                if !tag.is_empty() {
                    said.tags.push(self.number(tag));
                }
                match rest {
                    [third, ..] => third[2..].split_at(48),
                    [] => return said,
                }
            }
            (Role::Responder, [second, ..]) => {
                let (e, rest) = second[2..].split_at(PublicKey::LEN);
                said.ephemerals.push(self.number(e));
                rest.split_at(48)
            }
            (_, []) => return said,
        };
        said.statics.push(self.number(statics));
        said.proofs.push(self.number(proofs));
        // An encrypted key or proof ends in a tag, too.
        if self.network_key.is_some() {
            said.tags.push(self.number(&statics[32..]));
            said.tags.push(self.number(&proofs[proofs.len() - TAG_LEN..]));
        }
        said
    }

    fn number(&mut self, bytes: &[u8]) -> Part {
        if let Some(known) = self.numbers.get(bytes) {
            return *known;
        }
        let number = Part::try_from(self.parts.len()).unwrap();
        self.parts.push(bytes.to_vec());
        self.numbers.insert(bytes.to_vec(), number);
        number
    }
}

/// Who sealed a record, if it opens.
fn open_record(opener: &mut RecordOpener, record: &[u8]) -> Option<usize> {
    let (head, body) = record.split_first_chunk()?;
    let mut body = body.get(..RecordOpener::body_len(*head).ok()?)?.to_vec();
    let len = opener.open(&mut body).ok()?;
    assert_eq!(len, 1);
    Some(usize::from(body[0]))
}

fn alternate<T>(first: impl Iterator<Item = T>, second: impl Iterator<Item = T>) -> Vec<T> {
    let (mut first, mut second) = (first.fuse(), second.fuse());
    let mut all = Vec::new();
    loop {
        let (one, other) = (first.next(), second.next());
        if one.is_none() && other.is_none() {
            return all;
        }
        all.extend(one.into_iter().chain(other));
    }
}

fn write_to(stream: &mut DuplexStream, cx: &mut Context<'_>, bytes: &[u8]) {
    let written = Pin::new(stream).poll_write(cx, bytes);
    assert!(matches!(written, Poll::Ready(Ok(len)) if len == bytes.len()), "the pipe is wide enough");
}

/// What was said since the last time, as one message.
fn heard_on(stream: &mut DuplexStream, cx: &mut Context<'_>) -> Option<Vec<u8>> {
    let mut room = [0; 1 << 10];
    let mut buffer = ReadBuf::new(&mut room);
    match Pin::new(stream).poll_read(cx, &mut buffer) {
        Poll::Ready(Ok(())) if !buffer.filled().is_empty() => Some(buffer.filled().to_vec()),
        _ => None,
    }
}
