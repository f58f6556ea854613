//! An envelope of 256 bytes of message: made and signed; read and its id taken; read and verified.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use sealnet::envelope::{Draft, Lifetime, Scheme, Signed, Timestamp};
use sealnet::identity::{Identity, NetworkHash};

use super::{Failure, Step};

const MESSAGE: usize = 256;

fn scheme(n: u8) -> Result<Signed, Failure> {
    Ok(Signed::new(NetworkHash::secure(&"bench".parse()?), Arc::new(Identity::from_seed(&[n; 32]))))
}

fn draft() -> Result<Draft, Failure> {
    let (title, message, lifetime) = ("bench".parse()?, Bytes::from(vec![7; MESSAGE]), Lifetime::DEFAULT);
    Ok(Draft { title, message, time: Timestamp::from_micros(1_700_000_000_000_000).ok_or("no time")?, lifetime })
}

fn received() -> Result<Bytes, Failure> {
    Ok(scheme(1)?.publish(&draft()?)?.as_bytes().clone())
}

pub(super) fn published() -> Result<Step, Failure> {
    let (scheme, draft) = (scheme(1)?, draft()?);
    Ok(Box::new(move || assert!(black_box(scheme.publish(&draft)).is_ok(), "not published")))
}

pub(super) fn parsed() -> Result<Step, Failure> {
    let (scheme, bytes) = (scheme(2)?, received()?);
    Ok(Box::new(move || assert!(black_box(scheme.parse(bytes.clone())).is_ok(), "not read")))
}

pub(super) fn verified() -> Result<Step, Failure> {
    let (scheme, bytes) = (scheme(2)?, received()?);
    Ok(Box::new(move || {
        let verified = scheme.parse(bytes.clone()).map(|envelope| scheme.verify(envelope));
        assert!(matches!(verified, Ok(Ok(_))), "not verified");
    }))
}
