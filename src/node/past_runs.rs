//! Going on with what an earlier run of the node left in its folder.

use std::path::PathBuf;
use std::sync::Arc;

use crate::access::Certified;
use crate::envelope::Scheme;
use crate::identity::NodeId;
use crate::log::{Log, LogInstance, MemoryLog, State};
use crate::overlay::{Core, Now, Past, RememberedPeer, TIME_TOLERANCE};
#[cfg(feature = "disk")]
use crate::overlay::{PastLog, Seen};

use super::StartError;

/// What a node keeps in a folder of its own.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// The log as well, not the state alone.
    #[cfg_attr(not(feature = "disk"), expect(dead_code, reason = "there is no log on disk to choose"))]
    pub(super) has_log: bool,
}

/// What a log is to be if there is none yet.
pub(super) struct NewLog {
    pub(super) instance: LogInstance,
    pub(super) settings: crate::log::Settings,
}

impl NewLog {
    pub(super) fn in_memory(self, own: NodeId) -> Arc<dyn Log> {
        Arc::new(MemoryLog::new(self.instance, own, self.settings))
    }
}

pub(super) type GoneOn = (Core, Arc<dyn Log>, Option<Arc<State>>);

/// Knows the members' certificates again, and begins their file anew with those that are still of use.
fn recall_certificates(core: &mut Core, state: &State, now: Now) -> Result<(), StartError> {
    let Some(authority) = core.authority() else { return Ok(()) };
    // Those of an authority of before are left out, as is everything that is none.
    let known: Vec<_> = state.certificates()?.iter().filter_map(|bytes| authority.certificate(bytes).ok()).collect();
    core.recall_certificates(now, &known);
    let of_use: Vec<_> = core.admission().certified().into_iter().flat_map(Certified::all).collect();
    state.replace_certificates(&of_use.into_iter().map(|certificate| certificate.encode()).collect::<Vec<_>>())?;
    Ok(())
}

/// Goes on with what an earlier run left in the folder.
#[cfg_attr(not(feature = "disk"), expect(unused_variables, reason = "only a log on disk lies in the folder, too"))]
pub(super) fn go_on(
    folder: &Folder,
    state: State,
    new_log: NewLog,
    mut core: Core,
    scheme: &dyn Scheme,
    now: Now,
) -> Result<GoneOn, StartError> {
    let own = scheme.own_id();
    let past = Past { last_time: state.last_time(), clock_seen: state.clock_seen(), log: None };
    if past.clock_seen > now.wall.plus(TIME_TOLERANCE) {
        tracing::warn!(
            now = %now.wall, seen = %past.clock_seen,
            "this machine's clock went back since this node ran last; what had run out by then is refused until it has \
             caught up: set the clock right"
        );
    }
    let peers = state.peers().into_iter().map(|(id, address)| RememberedPeer { id, address });
    core.recall_peers(now, &peers.collect::<Vec<_>>());
    recall_certificates(&mut core, &state, now)?;
    let begin = now.wall.max(past.last_time);
    #[cfg(feature = "disk")]
    if folder.has_log {
        let opening = crate::log::Opening {
            version: scheme.version(),
            network: *scheme.network(),
            own,
            settings: &new_log.settings,
            now: now.wall.max(past.clock_seen),
            begin,
            instance: new_log.instance,
        };
        let log = crate::log::DiskLog::open(&folder.path, &opening, |row| {
            core.remember(&Seen { id: row.id, sender: row.sender, time: row.time, lifetime: row.lifetime });
        })?;
        let kept = PastLog { began: log.created(), floor: log.floor() };
        core.recall(now, &Past { log: Some(kept), ..past });
        core.recall_departures();
        state.note(now.wall, Some(log.created()))?;
        return Ok((core, Arc::new(log), Some(Arc::new(state))));
    }
    core.recall(now, &past);
    state.note(now.wall, Some(begin))?;
    Ok((core, new_log.in_memory(own), Some(Arc::new(state))))
}
