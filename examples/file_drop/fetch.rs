//! Fetching the pieces of one offer from several members at once.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sealnet::app::Json;
use sealnet::identity::NodeId;
use sealnet::node::{Node, RequestError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::app::{HAVE, PIECE, TITLE, Wanted};
use super::plan::Plan;
use super::shelf::Held;

/// So many members are asked at once, each for one piece at a time.
const MOST_AT_ONCE: usize = 16;
/// A member that has nothing new, or does not answer, is left alone for so long.
const PAUSE: Duration = Duration::from_millis(250);
/// A piece may take so long.
const PIECE_WITHIN: Duration = Duration::from_secs(120);

/// How far a file has come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// In bytes: the file, and what is here of it.
    pub(crate) size: u64,
    pub(crate) bytes: u64,
    /// So many pieces there are, and so many were here when it began.
    pub(crate) pieces: usize,
    pub(crate) resumed: usize,
    /// How many pieces came from whom,
    pub(crate) from: BTreeMap<NodeId, usize>,
    /// and how many of whose were refused.
    pub(crate) refused: BTreeMap<NodeId, usize>,
}

impl Progress {
    /// How many pieces came.
    pub(crate) fn came(&self) -> usize {
        self.from.values().sum()
    }
}

struct Fetching {
    node: Node,
    held: Arc<Held>,
    plan: Arc<Mutex<Plan>>,
    progress: watch::Sender<Progress>,
}

/// Fetches what is missing. Does not give up: drop it when nothing has come for too long.
pub(crate) async fn fetch(
    node: &Node,
    held: Arc<Held>,
    plan: Arc<Mutex<Plan>>,
    progress: &watch::Sender<Progress>,
) -> io::Result<()> {
    let has = held.pieces();
    let count = held.offer().pieces().len();
    progress.send_modify(|progress| {
        progress.size = held.offer().size();
        progress.bytes = has.iter().map(|piece| held.offer().place(*piece).1 as u64).sum();
        progress.pieces = count;
        if progress.from.is_empty() {
            progress.resumed = has.len();
        }
    });
    let missing = (0..count as u32).filter(|piece| !has.contains(piece));
    let first = u32::from(node.id().as_bytes()[0]) % (count as u32).max(1);
    let fetching = Arc::new(Fetching { node: node.clone(), held: held.clone(), plan, progress: progress.clone() });
    fetching.plan().begin(missing, first);
    fetching.run().await
}

impl Fetching {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps so many members busy as may be, those first that were asked longest ago. Dropped, it ends them all.
    async fn run(self: Arc<Self>) -> io::Result<()> {
        let mut at_work = JoinSet::new();
        let mut busy = BTreeSet::new();
        let mut asked = BTreeMap::new();
        while !self.plan().is_done() {
            let mut members: Vec<_> = self.node.peers_running(TITLE).into_iter().map(|(id, _)| id).collect();
            asked.retain(|id, _| members.contains(id));
            members.retain(|id| !busy.contains(id) && self.plan().is_trusted(id));
            members.retain(|id| asked.get(id).is_none_or(|when: &Instant| when.elapsed() >= PAUSE));
            members.sort_by_key(|id| asked.get(id).copied());
            for member in members.into_iter().take(MOST_AT_ONCE.saturating_sub(busy.len())) {
                busy.insert(member);
                let this = self.clone();
                at_work.spawn(async move { (member, this.draw_from(member).await) });
            }
            tokio::select! {
                Some(Ok((member, outcome))) = at_work.join_next() => {
                    outcome?;
                    busy.remove(&member);
                    asked.insert(member, Instant::now());
                }
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
        Ok(())
    }

    /// Fetches from one member what it has and is still missing. Only a failure of the disk here is an error.
    async fn draw_from(&self, member: NodeId) -> io::Result<()> {
        let answer = self.node.request(&member, HAVE, Json(self.held.offer().id())).limit(16 << 10).await;
        let Some(has) = answer.ok().and_then(|answer| answer.json::<BTreeSet<u32>>().ok()) else { return Ok(()) };
        loop {
            let Some(piece) = self.plan().take(&member, &has) else { return Ok(()) };
            let coming = tokio::time::timeout(PIECE_WITHIN, self.piece(&member, piece)).await;
            let Ok(Ok(bytes)) = coming else {
                // Gone, busy, or without it: no lie.
                self.plan().give_back(piece);
                return Ok(());
            };
            let (held, length) = (self.held.clone(), bytes.len() as u64);
            let put = tokio::task::spawn_blocking(move || held.put(piece, &bytes)).await;
            if put.map_err(io::Error::other)?? {
                let is_new = self.plan().done(piece);
                self.progress.send_if_modified(|progress| {
                    if is_new {
                        progress.bytes += length;
                        *progress.from.entry(member).or_default() += 1;
                    }
                    is_new
                });
            } else {
                self.plan().lied(member, piece);
                self.progress.send_modify(|progress| *progress.refused.entry(member).or_default() += 1);
            }
        }
    }

    /// A piece, as this member has it. Of what is too long only so much is taken that it is noticed.
    async fn piece(&self, member: &NodeId, piece: u32) -> Result<Vec<u8>, RequestError> {
        let (offer, (_, length)) = (self.held.offer().id(), self.held.offer().place(piece));
        let mut download = self.node.fetch(member, PIECE, Json(Wanted { offer, piece })).await?;
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() <= length
            && let Some(more) = download.next().await?
        {
            bytes.extend_from_slice(&more);
        }
        Ok(bytes)
    }
}
