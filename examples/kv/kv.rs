//! The application: a table that every node holds, and everybody may write to. Of two writes the later one by its signed time
//! stands, wherever and in whichever order they arrive, so that all tables become equal.

use std::collections::BTreeMap;

use sealnet::app::{Application, Context, Json, ReadError, StartAt};
use sealnet::envelope::{Envelope, EnvelopeId, Lifetime, Timestamp, Verified};
use sealnet::identity::NodeId;
use sealnet::node::{Broadcast, Node, PublishError, Receipt, Verdict};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub(crate) const TITLE: &str = "kv";
/// A write stands for so long; whoever wants it longer writes it again. Nodes that were away for less miss nothing.
const STANDS_FOR: Lifetime = Lifetime::hours(24);
const LONGEST_KEY: usize = 256;
const LONGEST_VALUE: usize = 64 << 10;
const MOST_KEYS: usize = 100_000;

/// A write, as it travels. Who wrote it and when is in the envelope around it, signed.
#[derive(Serialize, Deserialize)]
struct Write {
    key: String,
    /// Nothing: the key is removed.
    value: Option<String>,
}

impl Write {
    fn fault(&self) -> Option<&'static str> {
        if self.key.is_empty() || self.key.len() > LONGEST_KEY {
            return Some("a key has 1 to 256 bytes");
        }
        let is_long = self.value.as_ref().is_some_and(|value| value.len() > LONGEST_VALUE);
        is_long.then_some("a value has at most 64 KiB")
    }
}

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("not written: {0}")]
    Fault(&'static str),
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// What stands under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Standing {
    /// Later wins; equal times, which two writers may choose, are decided by the id.
    order: (Timestamp, EnvelopeId),
    writer: NodeId,
    /// Nothing: a tombstone. It is kept, or an older write that comes late would revive what was removed.
    value: Option<String>,
}

/// The table of a node.
#[derive(Debug, Default)]
pub(crate) struct Table(BTreeMap<String, Standing>);

impl Table {
    fn put(&mut self, key: String, written: Standing) {
        if self.0.get(&key).is_none_or(|standing| standing.order < written.order) {
            self.0.insert(key, written);
        }
    }

    /// Forgets what has run out: nothing older can come any more either.
    fn expire(&mut self, now: Timestamp) {
        self.0.retain(|_, standing| standing.order.0.plus(STANDS_FOR.into()) > now);
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.value.as_deref()
    }

    /// Keys with values and writers, in order.
    pub(crate) fn list(&self) -> impl Iterator<Item = (&str, &str, NodeId)> {
        self.0.iter().filter_map(|(key, standing)| Some((key.as_str(), standing.value.as_deref()?, standing.writer)))
    }
}

/// The application, and at the same time the handle to it: both see one table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kv {
    table: watch::Sender<Table>,
}

impl Application for Kv {
    /// Everything that the log still has: after a restart the table is made of it anew.
    fn start_at(&self) -> StartAt {
        StartAt::OldestKept
    }

    async fn check(&mut self, _: &Context, message: &Verified<Envelope>) -> Verdict {
        let Ok(write) = serde_json::from_slice::<Write>(&message.message()) else {
            return Verdict::Reject("this is no write".into());
        };
        if let Some(fault) = write.fault() {
            return Verdict::Reject(fault.into());
        }
        let table = self.table.borrow();
        if table.0.len() >= MOST_KEYS && !table.0.contains_key(&write.key) {
            return Verdict::Ignore("there are as many keys as there may be".into());
        }
        Verdict::Accept
    }

    async fn received(&mut self, cx: &Context, message: Broadcast) {
        let read: Result<Write, ReadError> = cx.json(&message);
        let Ok(Write { key, value }) = read else { return };
        let order = (message.time(), message.id());
        self.table.send_modify(|table| {
            table.expire(Timestamp::now());
            table.put(key, Standing { order, writer: message.sender(), value });
        });
    }
}

impl Kv {
    pub(crate) async fn set(&self, node: &Node, key: &str, value: &str) -> Result<Receipt, WriteError> {
        self.write(node, key, Some(value)).await
    }

    pub(crate) async fn remove(&self, node: &Node, key: &str) -> Result<Receipt, WriteError> {
        self.write(node, key, None).await
    }

    async fn write(&self, node: &Node, key: &str, value: Option<&str>) -> Result<Receipt, WriteError> {
        let write = Write { key: key.to_owned(), value: value.map(str::to_owned) };
        if let Some(fault) = write.fault() {
            return Err(WriteError::Fault(fault));
        }
        let receipt = node.broadcast(TITLE, Json(&write)).lifetime(STANDS_FOR).await?;
        // The node's own writes come back to it like everybody's; who wrote then reads what was written.
        let mut table = self.table.subscribe();
        let seen = table
            .wait_for(|table| table.0.get(key).is_some_and(|standing| standing.order >= (receipt.time, receipt.id)));
        let _ = seen.await;
        Ok(receipt)
    }

    /// Looks at the table.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Table) -> T) -> T {
        look(&self.table.borrow())
    }

    /// Waits until the table is as expected.
    pub(crate) async fn until(&self, mut expected: impl FnMut(&Table) -> bool) {
        let _ = self.table.subscribe().wait_for(|table| expected(table)).await;
    }
}
