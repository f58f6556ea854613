//! One secured link between two tasks over TCP on loopback: W7. The same three things are done with every kind of link.

mod noise;
mod own;
mod tls;

use std::time::Instant;

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};

use crate::case::{Case, Size, WINDOW};
use crate::failure::{Outcome, said};
use crate::job::{Job, Round};
use crate::machine;
use crate::metric::{BULK, BULK_CPU, HANDSHAKES, HANDSHAKES_CPU, REQUESTS, REQUESTS_CPU};
use crate::statistics::ratio;
use crate::systems::Subject;

/// Opens links of one kind; holds what both ends need.
trait Kind: Send + Sync + Sized + 'static {
    type End: End;

    /// What this end and the other are made of.
    fn new() -> Outcome<Self>;

    /// The end that dialled.
    fn dial(&self, stream: TcpStream) -> impl Future<Output = Outcome<Self::End>> + Send;

    /// The end that was dialled.
    fn answer(&self, stream: TcpStream) -> impl Future<Output = Outcome<Self::End>> + Send;
}

/// One end of an open link.
trait End: Send + 'static {
    /// Sends messages; waits where the link makes its sender wait.
    fn send(&mut self, messages: &[Bytes]) -> impl Future<Output = Outcome<()>> + Send;

    /// Waits until something has come, and hands all of it on: in the order in which it was sent, cut where the link cuts
    /// it. `false` when the other end has ended.
    fn receive(&mut self, take: &mut (impl FnMut(&[u8]) + Send)) -> impl Future<Output = Outcome<bool>> + Send;

    /// Nothing more is sent.
    fn finish(&mut self) -> impl Future<Output = Outcome<()>> + Send;
}

/// Does what a job asks for, and notes what was measured.
pub(crate) async fn run(job: &Job, round: &mut Round) -> Outcome<()> {
    match job.subject {
        Subject::Sealnet => with::<own::Own>(job, round).await,
        Subject::Snow => with::<noise::Noise<false>>(job, round).await,
        Subject::SnowRing => with::<noise::Noise<true>>(job, round).await,
        Subject::Rustls => with::<tls::Tls<false>>(job, round).await,
        Subject::RustlsChacha => with::<tls::Tls<true>>(job, round).await,
        other => Err(said(format!("{other} is no kind of link"))),
    }
}

async fn with<K: Kind>(job: &Job, round: &mut Round) -> Outcome<()> {
    let (kind, size) = (K::new()?, job.case.size(job.quick));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    match job.case {
        Case::LinkHandshake => handshakes(&kind, &listener, size, round).await,
        Case::LinkSmall => requests(open(&kind, &listener).await?, size, round).await,
        _ => bulk(open(&kind, &listener).await?, size, round).await,
    }
}

/// Both ends of a new link.
async fn open<K: Kind>(kind: &K, listener: &TcpListener) -> Outcome<(K::End, K::End)> {
    let address = listener.local_addr()?;
    let dialled = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        kind.dial(stream).await
    };
    let answered = async {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        kind.answer(stream).await
    };
    tokio::try_join!(dialled, answered)
}

async fn handshakes<K: Kind>(kind: &K, listener: &TcpListener, size: Size, round: &mut Round) -> Outcome<()> {
    drop(open(kind, listener).await?);
    let (start, worked) = (Instant::now(), machine::processor_time());
    for _ in 0..size.messages {
        drop(open(kind, listener).await?);
    }
    let worked = machine::processor_time().saturating_sub(worked);
    round.counts.expected += size.messages as u64;
    round.set(HANDSHAKES, ratio(size.messages as f64, start.elapsed().as_secs_f64()));
    round.set(HANDSHAKES_CPU, ratio(worked.as_secs_f64() * 1e6, size.messages as f64));
    Ok(())
}

/// One end sends pieces as fast as it can; the other compares every byte.
async fn bulk<E: End>((mut sender, mut receiver): (E, E), size: Size, round: &mut Round) -> Outcome<()> {
    let piece = piece(size.bytes);
    let whole = size.messages * size.bytes;
    let (start, worked) = (Instant::now(), machine::processor_time());
    let compared = piece.clone();
    let receiving = tokio::spawn(async move {
        let mut check = Check { expected: compared, at: 0, received: 0, altered: false };
        while check.received < whole && receiver.receive(&mut |bytes| check.take(bytes)).await? {}
        Outcome::Ok(check)
    });
    let sending = tokio::spawn(async move {
        for _ in 0..size.messages {
            sender.send(std::slice::from_ref(&piece)).await?;
        }
        sender.finish().await?;
        Outcome::Ok(sender)
    });
    let check = receiving.await??;
    let took = start.elapsed().as_secs_f64();
    let worked = machine::processor_time().saturating_sub(worked).as_secs_f64();
    drop(sending.await??);
    round.counts.expected += size.messages as u64;
    round.counts.missing += (whole.saturating_sub(check.received)).div_ceil(size.bytes) as u64;
    round.counts.altered += u64::from(check.altered);
    round.set(BULK, whole as f64 / 1e9 / took);
    round.set(BULK_CPU, worked * 1e3 / (whole as f64 / 1e9));
    Ok(())
}

/// One end asks, so many questions at a time; the other gives every question back.
async fn requests<E: End>((mut asker, mut answerer): (E, E), size: Size, round: &mut Round) -> Outcome<()> {
    let question = piece(size.bytes);
    let answering = tokio::spawn(async move {
        let mut pieces = Pieces::new(size.bytes);
        let mut answers: Vec<Bytes> = Vec::new();
        while answerer
            .receive(&mut |bytes| pieces.take(bytes, |whole| answers.push(Bytes::copy_from_slice(whole))))
            .await?
        {
            answerer.send(&answers).await?;
            answers.clear();
        }
        Outcome::Ok(())
    });
    let (start, worked) = (Instant::now(), machine::processor_time());
    let (mut asked, mut answered, mut altered) = (WINDOW.min(size.messages), 0, 0);
    let questions = vec![question.clone(); WINDOW];
    asker.send(&questions[..asked]).await?;
    let mut pieces = Pieces::new(size.bytes);
    while answered < size.messages {
        let mut arrived = 0;
        let mut take = |bytes: &[u8]| {
            pieces.take(bytes, |whole| {
                arrived += 1;
                altered += u64::from(whole != question);
            });
        };
        if !asker.receive(&mut take).await? {
            break;
        }
        answered += arrived;
        let more = arrived.min(size.messages - asked);
        asker.send(&questions[..more]).await?;
        asked += more;
    }
    let took = start.elapsed().as_secs_f64();
    let worked = machine::processor_time().saturating_sub(worked).as_secs_f64();
    asker.finish().await?;
    drop(asker);
    answering.abort();
    round.counts.expected += size.messages as u64;
    round.counts.missing += (size.messages - answered) as u64;
    round.counts.altered += altered;
    round.set(REQUESTS, answered as f64 / took);
    round.set(REQUESTS_CPU, worked * 1e6 / answered as f64);
    Ok(())
}

fn piece(len: usize) -> Bytes {
    (0..len).map(|at| (at % 251) as u8).collect()
}

/// Compares what comes with one piece after the other, however it is cut.
struct Check {
    expected: Bytes,
    at: usize,
    received: usize,
    altered: bool,
}

impl Check {
    fn take(&mut self, mut bytes: &[u8]) {
        self.received += bytes.len();
        while !bytes.is_empty() {
            let expected = &self.expected[self.at..];
            let (here, rest) = bytes.split_at(expected.len().min(bytes.len()));
            self.altered |= here != &expected[..here.len()];
            self.at = (self.at + here.len()) % self.expected.len();
            bytes = rest;
        }
    }
}

/// Puts together messages of one length, however they are cut.
struct Pieces {
    len: usize,
    begun: Vec<u8>,
}

impl Pieces {
    fn new(len: usize) -> Self {
        Pieces { len, begun: Vec::new() }
    }

    fn take(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) {
        if !self.begun.is_empty() {
            let (first, rest) = bytes.split_at((self.len - self.begun.len()).min(bytes.len()));
            self.begun.extend_from_slice(first);
            bytes = rest;
            if self.begun.len() < self.len {
                return;
            }
            each(&self.begun);
            self.begun.clear();
        }
        let whole = bytes.chunks_exact(self.len);
        self.begun.extend_from_slice(whole.remainder());
        whole.for_each(each);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_put_together_however_they_are_cut() {
        let all: Vec<u8> = (0..60).collect();
        for cut in 1..60 {
            let (mut pieces, mut got) = (Pieces::new(6), Vec::new());
            all.chunks(cut).for_each(|bytes| pieces.take(bytes, |whole| got.push(whole.to_vec())));
            assert_eq!(got.concat(), all);
            assert!(got.iter().all(|whole| whole.len() == 6));
        }
    }

    #[test]
    fn one_byte_that_is_not_as_it_was_sent_is_seen() {
        let sent: Vec<u8> = piece(100).repeat(3);
        for altered in [None, Some(0), Some(150), Some(299)] {
            let mut bytes = sent.clone();
            altered.into_iter().for_each(|at| bytes[at] ^= 1);
            let mut check = Check { expected: piece(100), at: 0, received: 0, altered: false };
            bytes.chunks(70).for_each(|bytes| check.take(bytes));
            assert_eq!((check.received, check.altered), (300, altered.is_some()));
        }
    }

    async fn carries<K: Kind>() {
        let kind = K::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (mut dialled, mut answered) = open(&kind, &listener).await.unwrap();
        for len in [64, 65_519] {
            for _ in 0..3 {
                dialled.send(&[piece(len), piece(len)]).await.unwrap();
                let mut check = Check { expected: piece(len), at: 0, received: 0, altered: false };
                while check.received < 2 * len {
                    assert!(answered.receive(&mut |bytes| check.take(bytes)).await.unwrap());
                }
                assert!(!check.altered);
                std::mem::swap(&mut dialled, &mut answered);
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_kind_carries_both_ways() {
        carries::<own::Own>().await;
        carries::<noise::Noise<false>>().await;
        carries::<noise::Noise<true>>().await;
        carries::<tls::Tls<false>>().await;
        carries::<tls::Tls<true>>().await;
    }
}
