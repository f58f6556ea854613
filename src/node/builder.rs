//! Starting a node.

use std::collections::BTreeMap;
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::envelope::{Open, Scheme, Signed, Title, TitleError};
use crate::identity::{
    Identity, NetworkHash, NetworkKey, NetworkName, NodeAddress, NodeId, RandomnessError, SelfTestError, self_test,
};
use crate::link::{Channel, NoiseChannel, PlainChannel};
use crate::log::{Log, LogInstance, MemoryLog, State, StateError};
use crate::overlay::{Core, MEMBERS, Now, Past, RememberedPeer, Settings, Setup, TIME_TOLERANCE};
#[cfg(feature = "disk")]
use crate::overlay::{PastLog, Seen};
#[cfg(feature = "sealed")]
use crate::sealed::SealSecrets;
use crate::wire::{Hello, HelloError};

use super::Events;
use super::clock::{Clock, RunningClock};
use super::handle::{Node, SecureNode};
use super::link_task::{RECONCILE, TREE};
use super::listener;
use super::requests::{self, REQUESTS};
#[cfg(feature = "sealed")]
use super::seal_keys::{SealKeys, SealPlace};
use super::shared::{Parts, Shared};

/// What this program can do beyond the first version of the protocol; announced in HELLO.
const FEATURES: [&str; 4] = [MEMBERS, RECONCILE, REQUESTS, TREE];

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The listening address cannot be had.
    #[error("cannot listen on {address}: {why}", why = explain_listen(.error))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// This build judges signatures differently from the rest of the network.
    #[error(transparent)]
    SelfTest(#[from] SelfTestError),
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// The link layer could not be set up.
    #[error("the secure channel cannot be set up: {0}")]
    Channel(#[from] crate::noise::NoiseError),
    /// The name of an application is no title.
    #[error("an application cannot have this title: {0}")]
    Application(#[from] TitleError),
    /// An application did not start.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// What the node would say of itself does not fit into a HELLO.
    #[error("this node's HELLO cannot be made: {0}; give it fewer applications, or shorter names")]
    Hello(#[from] HelloError),
    /// The log on disk cannot be used.
    #[cfg(feature = "disk")]
    #[error(transparent)]
    Log(#[from] crate::log::OpenLogError),
    /// The state file cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The seal keys cannot be used.
    #[cfg(feature = "sealed")]
    #[error(transparent)]
    SealKeys(#[from] crate::sealed::SealSecretsError),
    /// There is no runtime.
    #[error("a node needs a tokio runtime: start it from async code")]
    NoRuntime,
}

fn explain_listen(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is in use; stop the other program, or set another `listen` address".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; set `listen` to one of its own, or to 0.0.0.0".to_owned()
        }
        io::ErrorKind::PermissionDenied => "not allowed; choose a port above 1023".to_owned(),
        _ => error.to_string(),
    }
}

/// Why an application did not start with its node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// Two applications have the same titles.
    #[error("the titles under `{0}` belong to another application of this node; give it a title of its own")]
    TitleTaken(Title),
    /// It cannot have this title.
    #[error("an application cannot have the title `{title}`: {error}")]
    Title {
        /// The title.
        title: String,
        /// What is wrong with it.
        error: TitleError,
    },
    /// It cannot begin where it wants to.
    #[error("the application `{title}` cannot begin there: {error}")]
    Cursor {
        /// Its title.
        title: Title,
        /// Why not.
        error: crate::log::CursorError,
    },
    /// There is no thread to be had for it.
    #[error("the application `{title}` did not get a thread of its own: {why}")]
    NoThread {
        /// Its title.
        title: Title,
        /// What the system said.
        why: String,
    },
}

/// What is to be done once the node is there.
#[derive(Default)]
struct Launches(Vec<Launch>);

type Launch = Box<dyn FnOnce(&Node) -> Result<(), LaunchError> + Send>;

impl std::fmt::Debug for Launches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} applications", self.0.len())
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

/// What a node keeps in a folder of its own.
#[derive(Clone, Debug)]
struct Folder {
    path: PathBuf,
    /// The log as well, not the state alone.
    #[cfg_attr(not(feature = "disk"), expect(dead_code, reason = "there is no log on disk to choose"))]
    has_log: bool,
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
    clock: Clock,
    seed: Option<[u8; 32]>,
    bad_title: Option<TitleError>,
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
            clock: Clock::System,
            seed: None,
            bad_title: None,
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
    let listener = match options.listen {
        Some(address) => Some(TcpListener::bind(address).await.map_err(|error| StartError::Listen { address, error })?),
        None => None,
    };
    let listen = listener.as_ref().and_then(|listener| listener.local_addr().ok());
    let own = scheme.own_id();
    let clock = RunningClock::start(options.clock);
    let announce_link_addresses = options.advertise.is_empty() && listen.is_some_and(|at| at.ip().is_unspecified());
    let addresses = if options.advertise.is_empty() {
        listen.filter(|at| !at.ip().is_unspecified()).into_iter().collect()
    } else {
        options.advertise
    };
    // A genesis node may stand in its own list: one file then serves all.
    let genesis: Vec<NodeAddress> = options.genesis.into_iter().filter(|at| !names_itself(at, own, listen)).collect();
    let hello = hello(&options.apps, (!is_secure).then_some(own))?;
    #[cfg(feature = "sealed")]
    let keep = options.overlay.keep;
    let setup = Setup {
        own,
        settings: options.overlay,
        genesis: genesis.iter().map(NodeAddress::id).collect(),
        addresses,
        features: hello.features.clone(),
        apps: options.apps.into_iter().map(|(title, version)| (title.to_string(), version)).collect(),
        seed: match options.seed {
            Some(seed) => seed,
            None => random()?,
        },
    };
    let core = Core::new(setup, clock.now());
    let new_log = NewLog { instance: LogInstance::from_bytes(random()?), settings: options.log };
    let (core, log, state) = match options.folder {
        None => (core, new_log.in_memory(own), None),
        Some(folder) => {
            let (scheme, now) = (scheme.clone(), clock.now());
            // Reading a million rows takes a moment.
            let opened =
                tokio::task::spawn_blocking(move || go_on(&folder, new_log, core, scheme.as_ref(), is_secure, now));
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
    #[cfg(feature = "sealed")]
    if shared.seal_keys.is_some() {
        shared.tasks.spawn(shared.clone().publish_record(keep));
    }
    Ok((node, told))
}

/// What a log is to be if there is none yet.
struct NewLog {
    instance: LogInstance,
    settings: crate::log::Settings,
}

impl NewLog {
    fn in_memory(self, own: NodeId) -> Arc<dyn Log> {
        Arc::new(MemoryLog::new(self.instance, own, self.settings))
    }
}

type GoneOn = (Core, Arc<dyn Log>, Option<Arc<State>>);

/// Goes on with what an earlier run left in the folder.
fn go_on(
    folder: &Folder,
    new_log: NewLog,
    mut core: Core,
    scheme: &dyn Scheme,
    is_secure: bool,
    now: Now,
) -> Result<GoneOn, StartError> {
    let own = scheme.own_id();
    let state = State::open(&folder.path, scheme.network(), is_secure.then_some(own))?;
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
        state.note(now.wall, Some(log.created()))?;
        return Ok((core, Arc::new(log), Some(Arc::new(state))));
    }
    core.recall(now, &past);
    state.note(now.wall, Some(begin))?;
    Ok((core, new_log.in_memory(own), Some(Arc::new(state))))
}

fn names_itself(genesis: &NodeAddress, own: NodeId, listen: Option<SocketAddr>) -> bool {
    let here = listen.is_some_and(|at| genesis.host() == at.ip().to_string() && genesis.port() == at.port());
    genesis.id() == Some(own) || (genesis.id().is_none() && here)
}

fn hello(apps: &BTreeMap<Title, String>, node: Option<NodeId>) -> Result<Hello, StartError> {
    let agent = concat!("sealnet/", env!("CARGO_PKG_VERSION"));
    let mut hello = Hello::new(agent, crate::envelope::Timestamp::default());
    hello.features = FEATURES.map(str::to_owned).into();
    hello.apps = apps.clone();
    hello.node = node;
    // What cannot be said would otherwise show at the first link only.
    hello.encode()?;
    Ok(hello)
}

fn random<const N: usize>() -> Result<[u8; N], RandomnessError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
