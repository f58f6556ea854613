//! The thread that writes.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::super::{LogError, Position};
use super::Inner;
use super::store::Unusable;

/// How long after an error the disk is tried again; doubles with every further one, since trying may take a while.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// So many envelopes are made readable while the lock is held once.
const PORTION: usize = 256;

/// Writes what waits, again and again, until the log is closed.
pub(super) fn run(inner: &Inner) {
    let mut retry_at: Option<Instant> = None;
    let mut pause = FIRST_PAUSE;
    let mut is_open = true;
    loop {
        let mut shelf = inner.lock();
        loop {
            let now = Instant::now();
            let wait = retry_at.map(|at| at.saturating_duration_since(now)).filter(|wait| !wait.is_zero());
            shelf = match wait {
                Some(wait) if !shelf.is_closed => {
                    inner.work.wait_timeout(shelf, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                _ if retry_at.is_some() || shelf.has_work() => break,
                _ => inner.work.wait(shelf).unwrap_or_else(PoisonError::into_inner),
            };
        }
        let is_closed = shelf.is_closed;
        let changes = shelf.changes();
        let is_last = is_closed && changes.added.len() == shelf.waiting_count();
        drop(shelf);
        let outcome = if is_open { Ok(()) } else { inner.store.reopen() };
        match outcome.and_then(|()| inner.store.commit(&changes)) {
            Ok(()) => {
                // Not all at once: whoever appends meanwhile wants the lock, too.
                for some in changes.added.chunks(PORTION) {
                    inner.lock().committed(some);
                }
                let end = Position::new(inner.lock().holdings.last());
                let was_in_trouble = retry_at.take().is_some();
                (is_open, pause) = (true, FIRST_PAUSE);
                // Readers that found the database closed look again, too.
                inner.end.send_if_modified(|at| std::mem::replace(at, end) != end || was_in_trouble);
                if was_in_trouble {
                    tracing::info!("the log on disk is written again");
                    inner.trouble.send_replace(None);
                }
            }
            Err(Unusable(why)) => {
                let error = LogError::Disk { why };
                if retry_at.is_none() {
                    tracing::error!(%error, "the log on disk cannot be written");
                }
                retry_at = Some(Instant::now() + pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
                inner.trouble.send_if_modified(|trouble| trouble.replace(error.clone()) != Some(error.clone()));
                inner.lock().failed(changes, &error);
                // The database refuses everything after an error, reading too, until it is opened anew.
                is_open = inner.store.reopen().is_ok();
                if is_open {
                    inner.end.send_modify(|_| {});
                }
            }
        }
        if is_last || is_closed && retry_at.is_some() {
            inner.lock().abandon();
            return;
        }
    }
}
