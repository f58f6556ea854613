//! An envelope of 256 bytes of message: made and signed; read and its id taken; read and verified, of a sender that is heard
//! now and then and of one that is heard all the time.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use sealnet::envelope::{Draft, Lifetime, Scheme, Signed, Timestamp};
use sealnet::identity::{Identity, NetworkHash};

use super::{Failure, Step};

const MESSAGE: usize = 256;

fn scheme(seed: [u8; 32]) -> Result<Signed, Failure> {
    Ok(Signed::new(NetworkHash::secure(&"bench".parse()?), Arc::new(Identity::from_seed(&seed))))
}

fn draft() -> Result<Draft, Failure> {
    let (title, message, lifetime) = ("bench".parse()?, Bytes::from(vec![7; MESSAGE]), Lifetime::DEFAULT);
    Ok(Draft { title, message, time: Timestamp::from_micros(1_700_000_000_000_000).ok_or("no time")?, lifetime })
}

fn received() -> Result<Bytes, Failure> {
    Ok(scheme([1; 32])?.publish(&draft()?)?.as_bytes().clone())
}

pub(super) fn published() -> Result<Step, Failure> {
    let (scheme, draft) = (scheme([1; 32])?, draft()?);
    Ok(Box::new(move || assert!(black_box(scheme.publish(&draft)).is_ok(), "not published")))
}

pub(super) fn parsed() -> Result<Step, Failure> {
    let (scheme, bytes) = (scheme([2; 32])?, received()?);
    Ok(Box::new(move || assert!(black_box(scheme.parse(bytes.clone())).is_ok(), "not read")))
}

/// So many that none of them is heard often.
const SENDERS: u32 = 1_024;

pub(super) fn verified() -> Result<Step, Failure> {
    verified_of((0..SENDERS).map(|n| {
        let mut seed = [3; 32];
        seed[..4].copy_from_slice(&n.to_be_bytes());
        seed
    }))
}

pub(super) fn verified_of_a_frequent_sender() -> Result<Step, Failure> {
    let mut step = verified_of([[1; 32]].into_iter())?;
    (0..1_000).for_each(|_| step());
    Ok(step)
}

fn verified_of(seeds: impl Iterator<Item = [u8; 32]>) -> Result<Step, Failure> {
    let (judge, draft) = (scheme([2; 32])?, draft()?);
    let made: Result<Vec<Bytes>, Failure> =
        seeds.map(|seed| Ok(scheme(seed)?.publish(&draft)?.as_bytes().clone())).collect();
    let made = made?;
    let verify = move |bytes: &Bytes| {
        let verified = judge.parse(bytes.clone()).map(|envelope| judge.verify(envelope));
        assert!(matches!(verified, Ok(Ok(_))), "not verified");
    };
    // Keys are decoded once.
    made.iter().for_each(&verify);
    let mut next = 0;
    Ok(Box::new(move || {
        verify(&made[next]);
        next = (next + 1) % made.len();
    }))
}
