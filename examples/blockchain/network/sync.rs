//! Catching up: headers first, then blocks, from several nodes at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use sealnet::envelope::Timestamp;
use sealnet::identity::NodeId;
use tokio::task::JoinSet;

use super::answers::{HEADERS_AT_ONCE, blocks_in_an_answer, split_blocks};
use super::shared::Shared;
use crate::chain::{BlockHash, Header, Refusal};

/// Blocks that are asked for in one request, or fewer where that many of the largest would be no answer any more.
const CHUNK: usize = 32;
/// Requests to one node at a time.
const OF_ONE: usize = 2;
/// How many chunks may have come before the one that is needed next.
const AHEAD: usize = 16;

/// Where headers and blocks come from: other nodes, by requests. The tests have other ones.
pub(crate) trait Sources: Send + Sync + 'static {
    /// Whom to ask, the best first.
    fn peers(&self) -> Vec<NodeId>;

    /// The answer to [`title::HEADERS`](super::title::HEADERS).
    fn headers(&self, peer: NodeId, locator: Vec<BlockHash>) -> impl Future<Output = Result<Bytes, String>> + Send;

    /// The answer to [`title::BLOCKS`](super::title::BLOCKS).
    fn blocks(&self, peer: NodeId, hashes: Vec<BlockHash>) -> impl Future<Output = Result<Bytes, String>> + Send;
}

/// What catching up brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caught {
    pub(crate) headers: usize,
    pub(crate) blocks: usize,
    /// Who sent what no honest node sends.
    pub(crate) liars: BTreeSet<NodeId>,
    /// From whom blocks came.
    pub(crate) from: BTreeSet<NodeId>,
}

/// Asks every peer once for the headers it has beyond this chain. Where they show more work than there is here, their
/// blocks are fetched from all peers.
pub(crate) async fn catch_up<S: Sources>(shared: &Arc<Shared>, sources: &Arc<S>) -> Caught {
    let mut caught = Caught::default();
    for peer in sources.peers() {
        match headers_of(shared, &**sources, peer, &mut caught).await {
            Ok(missing) if missing.is_empty() => {}
            Ok(missing) => {
                fetch(shared, sources, peer, &missing, &mut caught).await;
                let chain = shared.chain();
                caught.blocks += missing.iter().filter(|hash| chain.has_block(hash)).count();
            }
            Err(Refused::Lie) => drop(caught.liars.insert(peer)),
            Err(Refused::Nothing) => {}
        }
    }
    caught
}

/// Why a peer's headers lead nowhere.
enum Refused {
    /// It has nothing, or did not answer.
    Nothing,
    /// No honest node says this.
    Lie,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            // Two nodes may disagree about the time, and a branch may be pruned here meanwhile.
            Refusal::LessWork | Refusal::TooFarAhead { .. } | Refusal::UnknownParent(_) => Refused::Nothing,
            _ => Refused::Lie,
        }
    }
}

/// The blocks that are missing here, if the peer's chain has more work than this one.
async fn headers_of<S: Sources>(
    shared: &Shared,
    sources: &S,
    peer: NodeId,
    caught: &mut Caught,
) -> Result<Vec<BlockHash>, Refused> {
    let mut locator = shared.chain().locator();
    let mut candidate = None;
    loop {
        let answer = sources.headers(peer, locator.clone()).await.map_err(|_| Refused::Nothing)?;
        let headers = Header::read_all(&answer)?;
        if headers.len() > HEADERS_AT_ONCE {
            return Err(Refused::Lie);
        }
        let chain = shared.chain();
        let Some(first) = headers.first() else { break };
        let mut judged = match candidate.take() {
            Some(candidate) => candidate,
            None => chain.candidate(first.parent)?,
        };
        chain.extend(&mut judged, &headers, Timestamp::now())?;
        locator = vec![judged.tip()];
        candidate = Some(judged);
        if headers.len() < HEADERS_AT_ONCE {
            break;
        }
    }
    let candidate = candidate.ok_or(Refused::Nothing)?;
    let missing = shared.chain().admit(&candidate)?;
    caught.headers += candidate.len();
    Ok(missing)
}

/// Blocks that came, and from whom.
struct Arrived {
    peer: NodeId,
    blocks: Vec<Bytes>,
}

/// Fetches blocks from all peers, `first` before the others, and takes them in in their order. Ends early when nobody has
/// them any more: what is there is kept, and the next round goes on.
async fn fetch<S: Sources>(
    shared: &Arc<Shared>,
    sources: &Arc<S>,
    first: NodeId,
    missing: &[BlockHash],
    caught: &mut Caught,
) {
    let at_once = blocks_in_an_answer(shared.chain().genesis().rules().max_block_bytes).min(CHUNK);
    let chunks: Vec<Vec<BlockHash>> = missing.chunks(at_once).map(<[_]>::to_vec).collect();
    let mut waiting: VecDeque<usize> = (0..chunks.len()).collect();
    let others = sources.peers().into_iter().filter(|peer| *peer != first);
    let mut idle: VecDeque<NodeId> = others.chain([first]).flat_map(|peer| [peer; OF_ONE]).collect();
    let mut running = JoinSet::new();
    let mut arrived: BTreeMap<usize, Arrived> = BTreeMap::new();
    let mut next = 0;
    while next < chunks.len() {
        while let Some(chunk) = waiting.front().copied().filter(|chunk| *chunk < next + AHEAD) {
            let (Some(peer), Some(hashes)) = (idle.pop_back(), chunks.get(chunk).cloned()) else { break };
            waiting.pop_front();
            let sources = sources.clone();
            running.spawn(async move { (chunk, peer, sources.blocks(peer, hashes).await) });
        }
        let Some(Ok((chunk, peer, answer))) = running.join_next().await else { return };
        let wanted = chunks.get(chunk).map(Vec::as_slice).unwrap_or_default();
        match answer.ok().and_then(split_blocks) {
            Some(blocks) if is_what_was_asked(&blocks, wanted) => {
                idle.push_front(peer);
                arrived.insert(chunk, Arrived { peer, blocks });
            }
            // It is not asked again in this round: another one may have them.
            _ => waiting.push_front(chunk),
        }
        while let Some(Arrived { peer, blocks }) = arrived.remove(&next) {
            let (count, shared) = (blocks.len(), shared.clone());
            let taking = tokio::task::spawn_blocking(move || shared.add_blocks(blocks));
            let Ok(Ok((taken, refused))) = taking.await else { return };
            match refused {
                None if taken == count => {
                    caught.from.insert(peer);
                    next += 1;
                }
                // A spoilt copy: the block itself may be a good one.
                Some(Refusal::WrongRoot | Refusal::Malformed(_) | Refusal::Oversize { .. }) => {
                    caught.liars.insert(peer);
                    idle.retain(|other| *other != peer);
                    waiting.push_front(next);
                }
                _ => {
                    caught.liars.insert(first);
                    return;
                }
            }
        }
    }
}

fn is_what_was_asked(blocks: &[Bytes], wanted: &[BlockHash]) -> bool {
    let hashes = blocks.iter().map(|block| Header::split(block).ok().map(|(header, _)| header.hash()));
    blocks.len() == wanted.len() && hashes.eq(wanted.iter().copied().map(Some))
}
