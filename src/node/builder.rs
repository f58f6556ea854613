//! Starting a node.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::access::{self, Certificate};
use crate::envelope::{Open, Scheme, Signed, Title, TitleError};
use crate::identity::{
    Identity, NetworkHash, NetworkKey, NetworkName, NodeAddress, NodeId, PublicKey, RandomnessError, self_test,
};
use crate::link::{Channel, NoiseChannel, PlainChannel};
use crate::log::{LogInstance, State};
use crate::overlay::{Core, MEMBERS, Settings, Setup};
#[cfg(feature = "sealed")]
use crate::sealed::SealSecrets;
use crate::wire::Hello;

use super::Events;
use super::access::{AccessSource, Subject};
use super::clock::{Clock, RunningClock};
use super::handle::{Node, SecureNode};
use super::link_task::{NEWS, RECONCILE, TREE};
use super::listener;
use super::past_runs::{Folder, NewLog, go_on};
use super::requests::{self, REQUESTS};
#[cfg(feature = "sealed")]
use super::seal_keys::{SealKeys, SealPlace};
use super::shared::{Parts, Shared};
use super::start_error::{LaunchError, StartError};

/// What this program can do beyond the first version of the protocol; announced in HELLO.
const FEATURES: [&str; 5] = [MEMBERS, NEWS, RECONCILE, REQUESTS, TREE];

/// What is to be done once the node is there.
#[derive(Default)]
struct Launches(Vec<Launch>);

type Launch = Box<dyn FnOnce(&Node) -> Result<(), LaunchError> + Send>;

impl std::fmt::Debug for Launches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} applications", self.0.len())
    }
}

/// What is put around the channel of the network.
#[derive(Default)]
struct Around(Option<Wrap>);

type Wrap = Box<dyn FnOnce(Arc<dyn Channel>) -> Arc<dyn Channel> + Send>;

impl Around {
    fn wrap(self, channel: Arc<dyn Channel>) -> Arc<dyn Channel> {
        match self.0 {
            Some(wrap) => wrap(channel),
            None => channel,
        }
    }
}

impl std::fmt::Debug for Around {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "a channel of the program's" } else { "nothing" })
    }
}

/// Marks a builder of a plain node.
#[derive(Debug)]
pub struct Plain(NodeId);

/// Marks a builder of a secure node.
#[derive(Debug)]
pub struct Secure {
    identity: Arc<Identity>,
    network_key: Option<NetworkKey>,
}

/// Puts a node together. Everything has a default but the network's name, and on a secure network the identity.
///
/// ```no_run
/// use sealnet::identity::Identity;
/// use sealnet::node::SecureNode;
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let identity = Identity::load("keys/peer.pem".as_ref())?;
/// let node = SecureNode::builder("demo".parse()?, identity)
///     .listen("127.0.0.1:7401".parse()?)
///     .genesis("sealnet://3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29@127.0.0.1:7400".parse()?)
///     .start()
///     .await?;
/// node.broadcast("chat", "hello").await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Builder<Kind> {
    kind: Kind,
    network: NetworkName,
    options: Options,
    marker: PhantomData<Kind>,
}

#[derive(Debug)]
struct Options {
    listen: Option<SocketAddr>,
    advertise: Vec<SocketAddr>,
    genesis: Vec<NodeAddress>,
    overlay: Settings,
    log: crate::log::Settings,
    folder: Option<Folder>,
    apps: BTreeMap<Title, String>,
    launches: Launches,
    channel: Option<Arc<dyn Channel>>,
    around: Around,
    clock: Clock,
    seed: Option<[u8; 32]>,
    bad_title: Option<TitleError>,
    access: AccessSource,
    /// The configuration asks for a control interface, and nobody serves it yet.
    control_unserved: bool,
    #[cfg(feature = "sealed")]
    seal_place: Option<SealPlace>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            listen: None,
            advertise: Vec::new(),
            genesis: Vec::new(),
            overlay: Settings::default(),
            log: crate::log::Settings::default(),
            folder: None,
            apps: BTreeMap::new(),
            launches: Launches::default(),
            channel: None,
            around: Around::default(),
            clock: Clock::System,
            seed: None,
            bad_title: None,
            access: AccessSource::Open,
            control_unserved: false,
            #[cfg(feature = "sealed")]
            seal_place: None,
        }
    }
}

impl Node {
    /// A node of the plain network `network`: nothing is encrypted or signed. For learning, and for wires that are
    /// trusted already. Its name is random and only claimed.
    ///
    /// # Errors
    /// If the operating system gives no random bytes for its name.
    pub fn builder(network: NetworkName) -> Result<Builder<Plain>, RandomnessError> {
        let mut id = [0; 32];
        getrandom::fill(&mut id)?;
        Ok(Builder::new(Plain(NodeId::from_bytes(id)), network))
    }
}

impl SecureNode {
    /// A node of the secure network `network`, known as `identity`.
    pub fn builder(network: NetworkName, identity: Identity) -> Builder<Secure> {
        Builder::new(Secure { identity: Arc::new(identity), network_key: None }, network)
    }
}

impl<Kind> Builder<Kind> {
    fn new(kind: Kind, network: NetworkName) -> Self {
        Builder { kind, network, options: Options::default(), marker: PhantomData }
    }

    /// Listens here. Port 0 lets the system choose. Without it the node only dials.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.options.listen = Some(address);
        self
    }

    /// Announces this address instead of the one it listens at: behind a translating router, for instance. At most four.
    pub fn advertise(mut self, address: SocketAddr) -> Self {
        self.options.advertise.push(address);
        self
    }

    /// Joins through the node at `address`. May be called several times: any of them will do. Without one the node is
    /// the first of its network.
    pub fn genesis(mut self, address: NodeAddress) -> Self {
        self.options.genesis.push(address);
        self
    }

    /// How it keeps itself connected; [`Settings::wan`] if nothing is said.
    pub fn overlay(mut self, settings: Settings) -> Self {
        self.options.overlay = settings;
        self
    }

    /// How much it keeps.
    pub fn log(mut self, settings: crate::log::Settings) -> Self {
        self.options.log = settings;
        self
    }

    /// Keeps the log in this folder, and the few facts that a node must not forget. A node that is started again has all
    /// that it had; what an application was given, a crash cannot take back. Made (mode 0700) if it is missing; each node
    /// needs one of its own.
    #[cfg(feature = "disk")]
    pub fn log_folder(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.folder = Some(Folder { path: path.into(), has_log: true });
        self
    }

    /// Keeps the facts that a node must not forget in this folder, and the log in memory: own times rise over restarts, and
    /// what had run out stays so if the clock is set back.
    pub fn state_folder(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.folder = Some(Folder { path: path.into(), has_log: false });
        self
    }

    /// Calls `launch` with the node before its first link opens: so that an application misses nothing. If it fails, the
    /// node does not start. The port on which `app` is built; most want that instead.
    pub fn launch(mut self, launch: impl FnOnce(&Node) -> Result<(), LaunchError> + Send + 'static) -> Self {
        self.options.launches.0.push(Box::new(launch));
        self
    }

    /// The configuration asks for a control interface, or somebody serves it.
    pub(crate) fn control_served(mut self, is_served: bool) -> Self {
        self.options.control_unserved = !is_served;
        self
    }

    /// Tells others that it runs the application with this title, in this version.
    pub fn announce_app(mut self, title: &str, version: &str) -> Self {
        match Title::for_application(title) {
            Ok(title) => drop(self.options.apps.insert(title, version.to_owned())),
            Err(error) => self.options.bad_title = Some(error),
        }
        self
    }

    /// Makes links in another way than the network's own: see [`Channel`].
    pub fn channel(mut self, channel: Arc<dyn Channel>) -> Self {
        self.options.channel = Some(channel);
        self
    }

    /// Puts a channel of the program's around the network's own: `wrap` is called once, at the start, with the Noise channel
    /// of a secure node, or the plain one of a plain node. What it gives makes all links, and cannot weaken what is inside.
    /// Called again, the later one goes around the former.
    pub fn channel_around<C: Channel>(mut self, wrap: impl FnOnce(Arc<dyn Channel>) -> C + Send + 'static) -> Self {
        let inside = std::mem::take(&mut self.options.around);
        self.options.around = Around(Some(Box::new(move |channel| Arc::new(wrap(inside.wrap(channel))))));
        self
    }

    /// Takes the time from somewhere else.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.options.clock = clock;
        self
    }

    /// Makes the node's random choices repeatable. Keys and handshakes are never made from it.
    pub fn seed(mut self, seed: [u8; 32]) -> Self {
        self.options.seed = Some(seed);
        self
    }
}

impl Builder<Plain> {
    /// Claims this name instead of a random one.
    pub fn id(mut self, id: NodeId) -> Self {
        self.kind = Plain(id);
        self
    }

    /// Starts the node; it listens, and joins by itself.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(self) -> Result<Node, StartError> {
        Ok(self.start_telling(|_| ()).await?.0)
    }

    /// Starts the node, and gives its events from the very first on.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_with_events(self) -> Result<(Node, Events), StartError> {
        self.start_telling(Node::events).await
    }

    async fn start_telling<T>(self, first: impl FnOnce(&Node) -> T) -> Result<(Node, T), StartError> {
        let (id, network) = (self.kind.0, NetworkHash::plain(&self.network));
        let own = self.options.channel.clone();
        let channel = own.unwrap_or_else(|| Arc::new(PlainChannel::new(network, id)));
        start(self.network, self.options, Arc::new(Open::new(network, id)), channel, false, first).await
    }
}

impl Builder<Secure> {
    /// Links only with nodes that hold this key too.
    pub fn network_key(mut self, key: NetworkKey) -> Self {
        self.kind.network_key = Some(key);
        self
    }

    /// Links only with those whom these settings admit, and takes nothing that others said; the files they name are read when
    /// the node starts, and again by [`Node::reload`].
    pub fn access(mut self, settings: access::Settings) -> Self {
        self.options.access = AccessSource::Files(settings);
        self
    }

    /// Links only with these members, and takes nothing that others said. The node itself is to be one of them.
    pub fn members(mut self, members: impl IntoIterator<Item = NodeId>) -> Self {
        self.options.access = AccessSource::Members(members.into_iter().collect());
        self
    }

    /// Links only with those who have a certificate of this authority, and takes nothing that others said; `certificate` is
    /// this node's own.
    pub fn certified_by(mut self, authority: PublicKey, certificate: Certificate) -> Self {
        let (authority, certificate) = (Box::new(authority), Box::new(certificate));
        self.options.access = AccessSource::Certificate { authority, certificate };
        self
    }

    /// Lets others seal content to this node, with keys that lie in this file: made (mode 0600) if it is missing, changed
    /// each week. The node publishes the public halves, and opens what was sealed to it also after it was away.
    #[cfg(feature = "sealed")]
    pub fn seal_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.seal_place = Some(SealPlace::File(path.into()));
        self
    }

    /// Lets others seal content to this node, with keys that end with it unless somebody else keeps them.
    #[cfg(feature = "sealed")]
    pub fn seal_secrets(mut self, secrets: SealSecrets) -> Self {
        self.options.seal_place = Some(SealPlace::Memory(secrets));
        self
    }

    /// What a configured node does about seal keys.
    #[cfg(feature = "sealed")]
    pub(super) fn seal_place(mut self, place: SealPlace) -> Self {
        self.options.seal_place = Some(place);
        self
    }

    /// Starts the node; it listens, and joins by itself.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(self) -> Result<SecureNode, StartError> {
        Ok(self.start_telling(|_| ()).await?.0)
    }

    /// Starts the node, and gives its events from the very first on.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_with_events(self) -> Result<(SecureNode, Events), StartError> {
        self.start_telling(Node::events).await
    }

    async fn start_telling<T>(self, first: impl FnOnce(&Node) -> T) -> Result<(SecureNode, T), StartError> {
        self_test()?;
        let Secure { identity, network_key } = self.kind;
        let network = NetworkHash::secure(&self.network);
        let channel: Arc<dyn Channel> = match self.options.channel.clone() {
            Some(channel) => channel,
            None => Arc::new(NoiseChannel::new(identity.clone(), network, network_key.as_ref())?),
        };
        let scheme = Arc::new(Signed::new(network, identity));
        let (node, told) = start(self.network, self.options, scheme, channel, true, first).await?;
        Ok((SecureNode(node), told))
    }
}

/// `first` is called with the node before anything happens at it.
async fn start<T>(
    network: NetworkName,
    options: Options,
    scheme: Arc<dyn Scheme>,
    channel: Arc<dyn Channel>,
    is_secure: bool,
    first: impl FnOnce(&Node) -> T,
) -> Result<(Node, T), StartError> {
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(StartError::NoRuntime);
    }
    if let Some(error) = options.bad_title {
        return Err(error.into());
    }
    if options.control_unserved {
        tracing::warn!(
            "the configuration has a section [control], which this program does not serve: Builder::control"
        );
    }
    let listener = match options.listen {
        Some(address) => Some(TcpListener::bind(address).await.map_err(|error| StartError::Listen { address, error })?),
        None => None,
    };
    let listen = listener.as_ref().and_then(|listener| listener.local_addr().ok());
    let own = scheme.own_id();
    let channel = options.around.wrap(channel);
    let clock = RunningClock::start(options.clock);
    let announce_link_addresses = options.advertise.is_empty() && listen.is_some_and(|at| at.ip().is_unspecified());
    let addresses = if options.advertise.is_empty() {
        listen.filter(|at| !at.ip().is_unspecified()).into_iter().collect()
    } else {
        options.advertise
    };
    // A genesis node may stand in its own list: one file then serves all.
    let genesis: Vec<NodeAddress> = options.genesis.into_iter().filter(|at| !names_itself(at, own, listen)).collect();
    let keep = options.overlay.keep;
    let subject = Subject { network: *scheme.network(), own };
    let (access, now) = (options.access.clone(), clock.now().wall);
    let found = tokio::task::spawn_blocking(move || access.read(&subject, now));
    let found = found.await.map_err(|_| StartError::NoRuntime)??;
    let state = match options.folder.clone() {
        None => None,
        Some(folder) => {
            let (network, node) = (*scheme.network(), is_secure.then_some(own));
            let opened = tokio::task::spawn_blocking(move || State::open(&folder.path, &network, node));
            Some(opened.await.map_err(|_| StartError::NoRuntime)??)
        }
    };
    let kept = state.as_ref().and_then(State::revocations);
    let admission = found.begin(kept.as_deref())?;
    let shown = admission.certified().map(|certified| certified.own().encode());
    let hello = hello(&options.apps, (!is_secure).then_some(own), shown)?;
    let setup = Setup {
        own,
        settings: options.overlay,
        genesis: genesis.iter().map(NodeAddress::id).collect(),
        addresses,
        features: hello.features.clone(),
        apps: options.apps.into_iter().map(|(title, version)| (title.to_string(), version)).collect(),
        admission,
        seed: match options.seed {
            Some(seed) => seed,
            None => random()?,
        },
    };
    let core = Core::new(setup, clock.now());
    let new_log = NewLog { instance: LogInstance::from_bytes(random()?), settings: options.log };
    let (core, log, state) = match options.folder.zip(state) {
        None => (core, new_log.in_memory(own), None),
        Some((folder, state)) => {
            let (scheme, now) = (scheme.clone(), clock.now());
            // Reading a million rows takes a moment.
            let opened =
                tokio::task::spawn_blocking(move || go_on(&folder, state, new_log, core, scheme.as_ref(), now));
            opened.await.map_err(|_| StartError::NoRuntime)??
        }
    };
    #[cfg(feature = "sealed")]
    let seal_keys = match options.seal_place {
        None => None,
        Some(place) => {
            let now = clock.now().wall;
            let opened = tokio::task::spawn_blocking(move || SealKeys::open(place, now, keep));
            opened.await.map_err(|_| StartError::NoRuntime)??
        }
    };
    let parts = Parts {
        network,
        is_secure,
        scheme,
        channel,
        log,
        state,
        access: options.access,
        keep,
        #[cfg(feature = "sealed")]
        seal_keys,
        genesis,
        listen,
        announce_link_addresses,
        hello,
        clock,
        core,
    };
    let shared = Shared::new(parts);
    shared.tasks.spawn(shared.clone().run_timer());
    shared.tasks.spawn(requests::watch(shared.clone()));
    if let Some(trouble) = shared.log.trouble() {
        shared.tasks.spawn(shared.clone().follow_log());
        shared.tasks.spawn(shared.clone().follow_trouble(trouble));
    }
    let node = Node::new(shared.clone());
    tracing::info!(node = %format_args!("{own:#}"), ?listen, secure = is_secure, "started");
    for launch in options.launches.0 {
        launch(&node)?;
    }
    let (told, now) = (first(&node), shared.now());
    if let Some(listener) = listener {
        shared.tasks.spawn(listener::listen(shared.clone(), listener));
    }
    shared.with_core(|core| core.start(now));
    if shared.has_record() {
        shared.tasks.spawn(shared.clone().publish_record());
    }
    Ok((node, told))
}

fn names_itself(genesis: &NodeAddress, own: NodeId, listen: Option<SocketAddr>) -> bool {
    let here = listen.is_some_and(|at| genesis.host() == at.ip().to_string() && genesis.port() == at.port());
    genesis.id() == Some(own) || (genesis.id().is_none() && here)
}

fn hello(
    apps: &BTreeMap<Title, String>,
    node: Option<NodeId>,
    certificate: Option<Vec<u8>>,
) -> Result<Hello, StartError> {
    let agent = concat!("sealnet/", env!("CARGO_PKG_VERSION"));
    let mut hello = Hello::new(agent, crate::envelope::Timestamp::default());
    hello.features = FEATURES.map(str::to_owned).into();
    hello.apps = apps.clone();
    hello.node = node;
    hello.certificate = certificate.map(Into::into);
    // What cannot be said would otherwise show at the first link only.
    hello.encode()?;
    Ok(hello)
}

fn random<const N: usize>() -> Result<[u8; N], RandomnessError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
