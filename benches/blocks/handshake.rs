//! A link opened over a connection in memory: Noise XX with both proofs, both HELLOs, both ends.

use sealnet::envelope::Timestamp;
use sealnet::identity::{Identity, NetworkHash};
use sealnet::link::{Halves, NoiseChannel, accept, connect};
use sealnet::wire::Hello;

use super::{Failure, Step};

pub(super) fn both_sides() -> Result<Step, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let network = NetworkHash::secure(&"bench".parse()?);
    let channel = |n| NoiseChannel::new(Identity::from_seed(&[n; 32]).into(), network, None);
    let (dialler, listener) = (channel(1)?, channel(2)?);
    let hello = Hello::new("bench", Timestamp::now());
    Ok(Box::new(move || {
        let (here, there) = tokio::io::duplex(64 << 10);
        let both = async {
            tokio::join!(connect(&dialler, Halves::from(here), None, &hello, &|_| true), async {
                accept(&listener, Halves::from(there), &|_| true).await?.welcome(&hello).await
            })
        };
        let (dialled, accepted) = runtime.block_on(both);
        assert!(dialled.is_ok() && accepted.is_ok(), "no link");
    }))
}
