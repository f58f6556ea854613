//! Fetching something large, as it comes, and going on where it broke off.

use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::super::BodyError;
use super::super::shared::Shared;
use crate::envelope::{Title, TitleError};
use crate::identity::NodeId;
use crate::wire::RequestKind;

use super::answer::UNKNOWN_TOTAL;
use super::asking::Call;
use super::dial::ask;
use super::request::{check_size, within};
use super::{DEADLINE, RequestError};

/// A fetch that is about to be begun; it goes out when awaited.
#[derive(Debug)]
#[must_use = "nothing is asked before this is awaited"]
pub struct Fetch {
    shared: Arc<Shared>,
    peer: NodeId,
    title: Result<Title, TitleError>,
    body: Result<Bytes, BodyError>,
    from: u64,
    patience: Duration,
}

impl Fetch {
    pub(in crate::node) fn new(shared: Arc<Shared>, peer: NodeId, title: &str, body: Result<Bytes, BodyError>) -> Self {
        let title = Title::for_application(title);
        Fetch { shared, peer, title, body, from: 0, patience: DEADLINE }
    }

    /// Begins at this byte of the whole: [`Download::position`] of one that broke off, from this node or another.
    pub fn from(mut self, offset: u64) -> Self {
        self.from = offset;
        self
    }

    /// How long it may take until something comes, opening a link included, and again each time between two pieces; ten
    /// seconds if nothing is said. The whole may take as long as it needs.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    async fn begin(self) -> Result<Download, RequestError> {
        let (title, asked) = (self.title?, self.body?);
        let mut body = BytesMut::with_capacity(8 + asked.len());
        body.put_u64(self.from);
        body.extend_from_slice(&asked);
        let body = body.freeze();
        check_size(&body)?;
        let (peer, patience) = (self.peer, self.patience);
        let begun = async {
            let mut call = ask(&self.shared, &peer, RequestKind::Fetch, &title, body).await?;
            let mut head = BytesMut::new();
            while head.len() < 8 {
                match call.next_up_to(8 - head.len()).await? {
                    Some(bytes) => head.extend_from_slice(&bytes),
                    None => {
                        let received = self.from;
                        return Err(RequestError::CutShort { peer, received, total: UNKNOWN_TOTAL });
                    }
                }
            }
            let total = Some(head.get_u64()).filter(|total| *total != UNKNOWN_TOTAL);
            Ok(Download { call, patience, position: self.from, total, has_ended: false })
        };
        within(peer, patience, begun).await
    }
}

impl IntoFuture for Fetch {
    type Output = Result<Download, RequestError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.begin())
    }
}

/// Something large on its way here. At most 1 MiB of it waits to be read; dropped, the rest is cancelled.
#[derive(Debug)]
pub struct Download {
    call: Call,
    patience: Duration,
    position: u64,
    total: Option<u64>,
    has_ended: bool,
}

impl Download {
    /// The next bytes; `None` at the end. If this is not waited for, nothing is lost.
    ///
    /// # Errors
    /// Why it broke off: fetch on from [`position`](Download::position), here or from somebody else.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RequestError> {
        let peer = self.call.peer();
        let mut bytes = Bytes::new();
        if !self.has_ended {
            match within(peer, self.patience, self.call.next()).await? {
                Some(more) => bytes = more,
                None => self.has_ended = true,
            }
        }
        let position = self.position.saturating_add(bytes.len() as u64);
        if let Some(total) = self.total
            && (position > total || (self.has_ended && position < total))
        {
            return Err(RequestError::CutShort { peer, received: self.position, total });
        }
        self.position = position;
        Ok(Some(bytes).filter(|_| !self.has_ended))
    }

    /// How far it has come, in bytes from the beginning of the whole: where to go on from if it breaks off.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The length of the whole in bytes, if the other node said it.
    pub fn total(&self) -> Option<u64> {
        self.total
    }
}
