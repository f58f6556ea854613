//! The program's log: the library's traces, at a level that can be changed while the program runs.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tracing_subscriber::EnvFilter;

type Change = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;

/// Changes the level; there once the log was started.
static CHANGE: OnceLock<Change> = OnceLock::new();
/// Where lines go instead of to standard error.
static DIVERTED: Mutex<Option<SyncSender<String>>> = Mutex::new(None);
/// Lines that found no room there.
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

/// Sends the library's traces to standard error: as `filter` says, or the variable SEALNET_LOG, or warnings. With `json` each
/// is an object on a line of its own.
pub(super) fn start(filter: Option<String>, json: bool) -> Result<(), String> {
    let filter = match (filter, std::env::var("SEALNET_LOG")) {
        (Some(filter), _) => filter,
        (None, Ok(variable)) if !variable.is_empty() => {
            parse(&variable).map_err(|why| format!("the variable SEALNET_LOG is wrong: {why}"))?
        }
        _ => "warn".to_owned(),
    };
    let colours = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
    let log = tracing_subscriber::fmt().with_writer(|| Line).with_ansi(colours && !json);
    let filter = of(&filter)?;
    // A program that calls `main` may have its own subscriber already; then that one is right.
    if json {
        let log = log.json().flatten_event(true).with_env_filter(filter).with_filter_reloading();
        let handle = log.reload_handle();
        if log.try_init().is_ok() {
            let _ = CHANGE.set(Box::new(move |filter| handle.reload(filter).map_err(|error| error.to_string())));
        }
    } else {
        let log = log.with_env_filter(filter).with_filter_reloading();
        let handle = log.reload_handle();
        if log.try_init().is_ok() {
            let _ = CHANGE.set(Box::new(move |filter| handle.reload(filter).map_err(|error| error.to_string())));
        }
    }
    Ok(())
}

/// Logs from now on as `filter` says. A lone level is that of this program, not of the libraries below it.
pub(super) fn change(filter: &str) -> Result<(), String> {
    let filter = parse(filter)?;
    let filter = if is_word(&filter) && filter != "off" { format!("warn,sealnet={filter}") } else { filter };
    match CHANGE.get() {
        Some(change) => change(of(&filter)?),
        None => Err("the log belongs to the program around this one; set its level there".to_owned()),
    }
}

/// Checks what a person wrote.
pub(super) fn parse(text: &str) -> Result<String, String> {
    // A lone word that is no level would be taken as the name of a module, and nothing be logged.
    if text.is_empty() || is_word(text) && text.parse::<tracing::level_filters::LevelFilter>().is_err() {
        return Err(
            "write error, warn, info, debug, trace or off, or directives like sealnet::overlay=debug".to_owned()
        );
    }
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The line editor would log every key that is pressed: what somebody types may be private, and showing it would make
/// it log again.
fn of(filter: &str) -> Result<EnvFilter, String> {
    let silent = "rustyline=off".parse().map_err(|error| format!("{error}"))?;
    Ok(EnvFilter::try_new(filter).map_err(|error| error.to_string())?.add_directive(silent))
}

/// Lines go to `lines` until the guard is dropped: while a prompt stands on the terminal, they must not be written across
/// it. Where there is no room they are left out and counted, because whoever logs may hold a lock.
pub(super) fn divert(lines: SyncSender<String>) -> Diverted {
    *diverted() = Some(lines);
    Diverted
}

/// Ends the diversion when dropped.
pub(super) struct Diverted;

impl Drop for Diverted {
    fn drop(&mut self) {
        *diverted() = None;
    }
}

fn diverted() -> MutexGuard<'static, Option<SyncSender<String>>> {
    DIVERTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes one event's text, which arrives in one piece.
struct Line;

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let diverted = diverted();
        let Some(lines) = &*diverted else {
            drop(diverted);
            // Where nobody reads, nobody is to be told: an error here would make the subscriber say so on standard error, which
            // panics in the middle of what is logged.
            let _ = io::stderr().write_all(bytes);
            return Ok(bytes.len());
        };
        let mut line = String::from_utf8_lossy(bytes).into_owned();
        let left_out = LEFT_OUT.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            line = format!("({left_out} lines of the log were left out)\n{line}");
        }
        if let Err(TrySendError::Full(_)) = lines.try_send(line) {
            LEFT_OUT.fetch_add(left_out + 1, Ordering::Relaxed);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stderr().flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_the_log_are_checked() {
        for good in ["debug", "OFF", "sealnet=debug", "sealnet::overlay=trace,warn"] {
            assert_eq!(parse(good).as_deref(), Ok(good));
        }
        for bad in ["loud", "sealnet=loud", ""] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_typed_is_never_logged() {
        for filter in ["trace", "debug,rustyline=trace"] {
            assert!(of(filter).unwrap().to_string().contains("rustyline=off"), "{filter}");
        }
    }
}
