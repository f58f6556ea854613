//! Closed networks: who may take part, said and taken back in signed statements (protocol, section 10).
//!
//! An *authority* is an identity that admits members; it need not be a node, and is not the genesis node's. It gives
//! each member a [`Certificate`], and publishes [`Revocations`] when memberships end before their time. Both are parsed
//! from bytes into values that mean nothing until their signature has been verified.

mod certificate;
mod label;
mod revocations;
mod rights;
mod serial;
mod settings;

pub use certificate::{Certificate, CertificateError, Membership};
pub use label::{Label, LabelError};
pub use revocations::{Revocations, RevocationsError};
pub use rights::Rights;
pub use serial::{Serial, SerialError};
pub use settings::{Mode, Settings};
