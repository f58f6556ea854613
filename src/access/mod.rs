//! Closed networks: who may take part, said and taken back in signed statements (protocol, section 10).
//!
//! An *authority* is an identity that admits members; it need not be a node, and is not the genesis node's. It gives
//! each member a [`Certificate`], and publishes [`Revocations`] when memberships end before their time. Both are parsed
//! from bytes into values that mean nothing; [`Authority`] makes [`Attested`] ones of them, of which the signature has
//! been verified. What a node concludes from all of it is its [`Admission`].

mod admission;
mod authority;
mod certificate;
mod files;
mod label;
mod revocations;
mod rights;
mod serial;
mod settings;

pub use admission::{Admission, Admittance, Certified};
pub use authority::{AttestError, Attested, Authority};
pub use certificate::{Certificate, CertificateError, Membership};
pub use files::{AccessFileError, AccessFileProblem, members_in, read_members};
pub use label::{Label, LabelError};
pub use revocations::{Revocations, RevocationsError};
pub use rights::Rights;
pub use serial::{Serial, SerialError};
pub use settings::{Mode, Settings};
