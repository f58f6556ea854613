//! Opening links to others.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::identity::{NodeAddress, NodeId};
use crate::link::{self, Halves, LinkError, Outbox};
use crate::overlay::{DialId, Direction, Reason, Target};
use crate::wire::{Goodbye, Hello};

use super::Event;
use super::link_task::{self, Established};
use super::reasons::reason_of;
use super::retry::NOT_AGAIN_FOR;
use super::shared::Shared;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// One attempt the core asked for.
pub(super) async fn dial(shared: Arc<Shared>, dial: DialId, target: Target) {
    let is_wanted = tokio::select! {
        () = shared.closing.cancelled() => return,
        is_wanted = shared.is_wanted_again(&target) => is_wanted,
    };
    if !is_wanted {
        let now = shared.now();
        return shared.with_core(|core| core.dial_declined(now, dial, NOT_AGAIN_FOR));
    }
    let outcome = tokio::select! {
        () = shared.closing.cancelled() => return,
        outcome = set_up_target(&shared, dial, &target) => outcome,
    };
    match outcome {
        Ok(established) => link_task::start(&shared, established),
        Err(Failed { reason, why }) => {
            let now = shared.now();
            shared.emit(Event::DialFailed { target, reason, why });
            shared.with_core(|core| core.dial_failed(now, dial, reason));
        }
    }
}

/// One attempt for a request; says what became of it.
pub(super) async fn dial_on_demand(
    shared: Arc<Shared>,
    dial: DialId,
    id: NodeId,
    address: SocketAddr,
    report: oneshot::Sender<Result<(), Reason>>,
) {
    let target = Target::OnDemand { id, address };
    let outcome = tokio::select! {
        () = shared.closing.cancelled() => return,
        outcome = set_up_target(&shared, dial, &target) => outcome,
    };
    // Whoever asked may have given up: the link is open all the same.
    match outcome {
        Ok(established) => {
            established.requests().set_on_demand();
            let _ = report.send(Ok(()));
            link_task::start(&shared, established);
        }
        Err(Failed { reason, why }) => {
            let now = shared.now();
            shared.emit(Event::DialFailed { target, reason, why });
            shared.with_core(|core| core.dial_failed(now, dial, reason));
            let _ = report.send(Err(reason));
        }
    }
}

/// Why an attempt came to nothing: for the core, and in words.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) reason: Reason,
    pub(super) why: String,
}

impl From<LinkError> for Failed {
    fn from(error: LinkError) -> Self {
        // Message 2 is the first that shows whether both ends mean the same network.
        let hint = match error {
            LinkError::Handshake(_) => "; compare network and network key on both sides",
            _ => "",
        };
        Failed { reason: reason_of(&error), why: format!("{error}{hint}") }
    }
}

impl Failed {
    fn new(reason: Reason, why: impl ToString) -> Self {
        Failed { reason, why: why.to_string() }
    }

    fn at(self, remote: SocketAddr) -> Self {
        Failed { why: format!("{remote}: {}", self.why), ..self }
    }
}

async fn set_up_target(shared: &Arc<Shared>, dial: DialId, target: &Target) -> Result<Established, Failed> {
    match target {
        Target::Member { id, address } | Target::OnDemand { id, address } => {
            let made = set_up(shared, Some(dial), Some(*id), *address, false).await;
            made.map_err(|failed| failed.at(*address))
        }
        Target::Renewal { id, address } => set_up(shared, Some(dial), Some(*id), *address, true).await,
        Target::Genesis(place) => match shared.genesis.get(*place) {
            Some(address) => set_up_address(shared, Some(dial), address).await,
            None => Err(Failed::new(Reason::UnknownHost, "there is no such genesis node")),
        },
    }
}

/// Connects with the node at `address`, whatever its name stands for: of several addresses the first need not work.
pub(super) async fn set_up_address(
    shared: &Arc<Shared>,
    dial: Option<DialId>,
    address: &NodeAddress,
) -> Result<Established, Failed> {
    let resolved = resolve(address.host(), address.port()).await;
    let mut outcome = Err(Failed::new(
        Reason::UnknownHost,
        format_args!("the host {} is unknown; check its spelling and this machine's name service", address.host()),
    ));
    for remote in resolved.unwrap_or_default() {
        outcome = set_up(shared, dial, address.id(), remote, false).await.map_err(|failed| failed.at(remote));
        if !matches!(outcome, Err(Failed { reason: Reason::Unreachable, .. })) {
            break;
        }
    }
    outcome
}

async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::time::timeout(CONNECT, tokio::net::lookup_host((host, port))).await??.collect())
}

/// Connects, proves who is there, and registers the link. `dial` is `None` if the user asked, not the core.
async fn set_up(
    shared: &Arc<Shared>,
    dial: Option<DialId>,
    expected: Option<NodeId>,
    remote: SocketAddr,
    renew: bool,
) -> Result<Established, Failed> {
    let connected = tokio::time::timeout(CONNECT, TcpStream::connect(remote)).await;
    let unreachable = |why: &dyn ToString| Failed::new(Reason::Unreachable, why.to_string());
    let stream = connected.map_err(|_| unreachable(&"nothing answers"))?.map_err(|error| unreachable(&error))?;
    // It only costs latency if the system refuses.
    let _ = stream.set_nodelay(true);
    let hello = Hello { renew, ..shared.hello_at(stream.local_addr().ok()) };
    let admit = link_task::admit(shared);
    let link = link::connect(&*shared.channel, Halves::from(stream), expected, &hello, &admit).await;
    let link = link.map_err(|error| Failed { reason: link_task::refusal(shared, &error), ..Failed::from(error) })?;
    match link_task::register(shared, dial, link.peer, Direction::Outbound, remote, &link.hello) {
        Ok(registered) => Ok(registered.established(link)),
        Err(refused) => {
            let outbox = Outbox::default();
            outbox.close(refused.goodbye.map(|code| Goodbye::new(code, "")));
            // Whether the good-bye arrives makes no difference here.
            let _ = link.writer.run(outbox).await;
            Err(Failed::new(refused.reason, format_args!("this node does not want the link: {}", refused.reason)))
        }
    }
}
