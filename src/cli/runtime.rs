//! Running async commands, and stopping them as a person or the system asks.

use std::future::Future;

use super::Failure;

/// Runs a command that needs the runtime.
pub(super) fn block_on<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::said(format!("no threads can be started: {error}")))?;
    runtime.block_on(command)
}

/// Waits until somebody wants the program to end: Ctrl-C, or the system's request to terminate.
pub(super) async fn asked_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = tokio::signal::ctrl_c() => return,
            }
        }
    }
    // Without signals the program is ended from outside, and there is nothing to wait for.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Told when somebody wants the node to read its files about access again: the system's hang-up signal.
pub(super) struct ReloadSignal {
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

/// From now on a hang-up does not end the program.
pub(super) fn asked_to_reload() -> ReloadSignal {
    ReloadSignal {
        #[cfg(unix)]
        hangup: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
    }
}

impl ReloadSignal {
    pub(super) async fn asked(&mut self) {
        #[cfg(unix)]
        if let Some(hangup) = &mut self.hangup
            && hangup.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}
