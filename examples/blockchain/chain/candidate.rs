//! Headers of others. A chain of any length is judged by its headers alone, 96 bytes each, before anything of it is kept
//! or any body is asked for: to make this node fetch a forged chain one must have worked more than everybody else.

use bytes::Bytes;
use sealnet::envelope::Timestamp;

use super::hash::BlockHash;
use super::header::Header;
use super::refusal::Refusal;
use super::rules;
use super::state::Chain;

/// The most headers in a candidate. Their number is bounded by the work in them; this bounds the memory for a chain that
/// has little, at about 100 MB.
const MAX_HEADERS: usize = 500_000;

/// Headers that follow one another and a block that is known here. Nobody but who is asking for them keeps them.
pub(crate) struct Candidate {
    base: BlockHash,
    headers: Vec<(BlockHash, Header)>,
    work: u128,
}

impl Candidate {
    /// The hash of the last header, to ask for what comes after it.
    pub(crate) fn tip(&self) -> BlockHash {
        self.headers.last().map_or(self.base, |(hash, _)| *hash)
    }

    /// How many headers it has that were not known.
    pub(crate) fn len(&self) -> usize {
        self.headers.len()
    }
}

impl Chain {
    /// The hashes with which another node finds the last block that both know.
    pub(crate) fn locator(&self) -> Vec<BlockHash> {
        self.index.locator()
    }

    /// Headers of the active chain after the newest block of `locator`, as bytes one after another.
    pub(crate) fn headers_after(&self, locator: &[BlockHash], limit: usize) -> Bytes {
        self.index.after(locator, limit).iter().flat_map(Header::encode).collect::<Vec<_>>().into()
    }

    /// The beginning of a candidate whose first header has this parent.
    pub(crate) fn candidate(&self, parent: BlockHash) -> Result<Candidate, Refusal> {
        if self.index.contains(&parent) {
            Ok(Candidate { base: parent, headers: Vec::new(), work: self.index.work(&parent) })
        } else {
            Err(Refusal::UnknownParent(parent))
        }
    }

    /// Judges more headers of a candidate.
    pub(crate) fn extend(&self, candidate: &mut Candidate, headers: &[Header], now: Timestamp) -> Result<(), Refusal> {
        for header in headers {
            let hash = header.hash();
            header.check_work(&hash, self.genesis.min_difficulty())?;
            if header.parent != candidate.tip() {
                return Err(Refusal::Malformed("the headers do not follow one another"));
            }
            if self.invalid.contains(&hash) {
                return Err(Refusal::KnownInvalid);
            }
            if candidate.headers.is_empty() && self.index.contains(&hash) {
                (candidate.base, candidate.work) = (hash, self.index.work(&hash));
                continue;
            }
            if candidate.headers.len() >= MAX_HEADERS {
                return Err(Refusal::Oversize { size: candidate.headers.len() + 1, limit: MAX_HEADERS });
            }
            let new = candidate.headers.iter().rev().map(|(_, header)| header);
            rules::check(header, new.chain(self.index.back_from(&candidate.base)), &self.genesis, now)?;
            candidate.work = candidate.work.saturating_add(header.difficulty.work());
            candidate.headers.push((hash, header.clone()));
        }
        Ok(())
    }

    /// Decides about a candidate. If it has more work than the active chain, its headers are kept, and the blocks that are
    /// missing for it are returned, oldest first.
    pub(crate) fn admit(&mut self, candidate: &Candidate) -> Result<Vec<BlockHash>, Refusal> {
        if !self.index.contains(&candidate.base) {
            return Err(Refusal::UnknownParent(candidate.base));
        }
        if candidate.work <= self.index.tip_work() {
            return Err(Refusal::LessWork);
        }
        for (hash, header) in &candidate.headers {
            self.index.insert(*hash, header, false);
        }
        let path = self.index.fork(&candidate.tip()).path;
        Ok(path.into_iter().filter(|hash| !self.index.is_stored(hash)).collect())
    }
}

impl Header {
    /// Headers one after another, as they come from another node.
    pub(crate) fn read_all(mut bytes: &[u8]) -> Result<Vec<Header>, Refusal> {
        let mut headers = Vec::with_capacity(bytes.len() / Header::LEN);
        while !bytes.is_empty() {
            let (header, rest) = Header::split(bytes)?;
            headers.push(header);
            bytes = rest;
        }
        Ok(headers)
    }
}
