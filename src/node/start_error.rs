//! Why a node, or an application on it, did not start.

use std::io;
use std::net::SocketAddr;

use crate::envelope::{Title, TitleError};
use crate::identity::{RandomnessError, SelfTestError};
use crate::log::StateError;
use crate::wire::HelloError;

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
    /// Something that is served beside the applications; says what happened and what to do.
    #[error("{0}")]
    Service(String),
    /// There is no thread to be had for it.
    #[error("the application `{title}` did not get a thread of its own: {why}")]
    NoThread {
        /// Its title.
        title: Title,
        /// What the system said.
        why: String,
    },
}
