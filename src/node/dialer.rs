//! Opening links to others.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::identity::NodeId;
use crate::link::{self, Halves, Outbox};
use crate::overlay::{DialId, Direction, Reason, Target};
use crate::wire::Goodbye;

use super::link_task::{self, Established};
use super::reasons::reason_of;
use super::shared::Shared;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// One attempt the core asked for.
pub(super) async fn dial(shared: Arc<Shared>, dial: DialId, target: Target) {
    let outcome = tokio::select! {
        () = shared.closing.cancelled() => return,
        outcome = set_up_target(&shared, dial, &target) => outcome,
    };
    match outcome {
        Ok(established) => link_task::run(shared, established).await,
        Err(reason) => {
            let now = shared.now();
            shared.with_core(|core| core.dial_failed(now, dial, reason));
        }
    }
}

async fn set_up_target(shared: &Arc<Shared>, dial: DialId, target: &Target) -> Result<Established, Reason> {
    match target {
        Target::Member { id, address } => set_up(shared, Some(dial), Some(*id), *address).await,
        Target::Genesis(place) => {
            let address = shared.genesis.get(*place).ok_or(Reason::UnknownHost)?;
            let mut outcome = Err(Reason::UnknownHost);
            // A name may stand for several addresses, of which the first need not work.
            for resolved in resolve(address.host(), address.port()).await.map_err(|_| Reason::UnknownHost)? {
                outcome = set_up(shared, Some(dial), address.id(), resolved).await;
                if !matches!(outcome, Err(Reason::Unreachable)) {
                    break;
                }
            }
            outcome
        }
    }
}

pub(super) async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::time::timeout(CONNECT, tokio::net::lookup_host((host, port))).await??.collect())
}

/// Connects, proves who is there, and registers the link. `dial` is `None` if the user asked, not the core.
pub(super) async fn set_up(
    shared: &Arc<Shared>,
    dial: Option<DialId>,
    expected: Option<NodeId>,
    remote: SocketAddr,
) -> Result<Established, Reason> {
    let connected = tokio::time::timeout(CONNECT, TcpStream::connect(remote)).await;
    let stream = connected.map_err(|_| Reason::Unreachable)?.map_err(|_| Reason::Unreachable)?;
    // It only costs latency if the system refuses.
    let _ = stream.set_nodelay(true);
    let hello = shared.hello_at(stream.local_addr().ok());
    let admit = link_task::admit(shared);
    let link = link::connect(&*shared.channel, Halves::from(stream), expected, &hello, &admit).await;
    let link = link.map_err(|error| reason_of(&error))?;
    match link_task::register(shared, dial, link.peer, Direction::Outbound, remote, &link.hello) {
        Ok(registered) => Ok(registered.established(link)),
        Err(refused) => {
            let outbox = Outbox::default();
            outbox.close(refused.goodbye.map(|code| Goodbye::new(code, "")));
            // Whether the good-bye arrives makes no difference here.
            let _ = link.writer.run(outbox).await;
            Err(refused.reason)
        }
    }
}
