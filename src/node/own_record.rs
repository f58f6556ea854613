//! What this node publishes of itself for those who need it also while it is away (`sealnet/member`): its certificate, and
//! the key that content for it is sealed to.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::access::Admission;
use crate::envelope::Lifetime;
use crate::overlay::{MEMBER_TITLE, MemberRecord};

use super::shared::Shared;

/// A record is published anew at least as often, so that a key that is due for change is not published for long.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3600);
/// And not more often, however short the time that things are kept.
const SHORTEST_PAUSE: Duration = Duration::from_secs(10);
/// So long before its end a certificate is said to end.
const ENDS_SOON: u64 = 7 * 24 * 3600;

impl Shared {
    /// Whether there is anything to publish.
    pub(super) fn has_record(&self) -> bool {
        #[cfg(feature = "sealed")]
        if self.seal_keys.is_some() {
            return true;
        }
        self.authority.is_some()
    }

    fn own_record(&self) -> MemberRecord {
        #[cfg(feature = "sealed")]
        let record = self.seal_keys.as_ref().map(|keys| keys.record()).unwrap_or_default();
        #[cfg(not(feature = "sealed"))]
        let record = MemberRecord::default();
        let certificate = self.with_core(|core| match core.admission() {
            Admission::Certified(certified) => Some(certified.own().encode().into()),
            Admission::Open | Admission::Listed(_) => None,
        });
        MemberRecord { certificate, ..record }
    }

    /// Publishes this node's record as it is now.
    pub(super) fn announce_record(&self) {
        let lifetime = Lifetime::secs(u32::try_from(self.keep.as_secs()).unwrap_or(u32::MAX));
        self.announce_soon(MEMBER_TITLE, self.own_record().encode(), lifetime);
    }

    /// Publishes the record for the first time, where certificates are needed: before the presence, which nobody takes without
    /// it.
    pub(super) fn announce_record_first(&self) {
        if self.authority.is_some() && !self.record_announced.swap(true, Ordering::Relaxed) {
            self.announce_record();
        }
    }

    /// Publishes the record now and then each time half its life is over; changes keys when it is time.
    pub(super) async fn publish_record(self: Arc<Self>) {
        let pause = (self.keep / 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        // Where certificates are needed, it goes out with the first presence.
        let mut waits = self.authority.is_some();
        loop {
            // Nobody hears of a key that is not written down; the record before lives for as long again.
            let is_written = self.keep_up_keys().await;
            if self.is_stopping() {
                return;
            }
            self.warn_of_the_end();
            if !std::mem::take(&mut waits) && is_written {
                self.announce_record();
            }
            tokio::select! {
                () = self.closing.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Changes the seal keys if it is time; says whether they are written down.
    #[cfg(feature = "sealed")]
    async fn keep_up_keys(self: &Arc<Self>) -> bool {
        let (shared, now) = (self.clone(), self.now().wall);
        let kept_up =
            tokio::task::spawn_blocking(move || shared.seal_keys.as_ref().map_or(Ok(()), |keys| keys.keep_up(now)));
        match kept_up.await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the seal keys could not be changed");
                false
            }
            Err(_) => false,
        }
    }

    #[cfg(not(feature = "sealed"))]
    async fn keep_up_keys(self: &Arc<Self>) -> bool {
        true
    }

    fn warn_of_the_end(&self) {
        let end =
            self.with_core(|core| core.admission().certified().map(|certified| certified.own().membership().not_after));
        let left = end.map(|end| end.saturating_sub(self.now().wall.as_micros() / 1_000_000));
        if let Some(left) = left.filter(|left| *left < ENDS_SOON) {
            let file = self.access.certificate_file();
            tracing::warn!(
                hours = left / 3600,
                ?file,
                "this node's certificate ends soon; have it renewed (`sealnet authority renew`) and `sealnet reload` it"
            );
        }
    }
}
