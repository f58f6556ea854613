//! Transfers: ordinary signed envelopes.

use std::fmt;

use bytes::Bytes;
use sealnet::envelope::{Draft, Envelope, EnvelopeId, Lifetime, Scheme, Signed, Timestamp, Title, Verified, Verifier};
use sealnet::identity::NodeId;
use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::genesis::Genesis;
use super::hash::BlockHash;
use super::refusal::Refusal;

/// What a transfer orders, as it stands in the message of its envelope (JSON). Whose money it is says the envelope's
/// sender, and only the sender's signature makes it valid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    /// The chain it is meant for. Envelopes are bound to their network, and a network may have more chains than one.
    pub(crate) chain: BlockHash,
    /// Who gets it.
    pub(crate) to: NodeId,
    /// How much.
    pub(crate) amount: Amount,
    /// What the miner gets.
    pub(crate) fee: Amount,
    /// How many transfers of the sender come before it: each number is spent once, in order.
    pub(crate) nonce: u64,
}

/// A transfer whose signature is its sender's. Whether the sender has the money is another question, and the ledger's.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Transfer {
    envelope: Verified<Envelope>,
    order: Order,
}

impl Transfer {
    /// The title of a transfer's envelope.
    pub(crate) const TITLE: &str = "blockchain/transfer";
    /// The largest envelope of a transfer, in bytes; the usual one has some 370.
    pub(crate) const MAX_BYTES: usize = 1024;

    /// Reads and verifies an envelope as it stands in a block.
    pub(crate) fn verify(bytes: Bytes, verifier: &Verifier, genesis: &Genesis) -> Result<Self, Refusal> {
        Self::check_size(bytes.len())?;
        Self::read(verifier.check(bytes)?, genesis)
    }

    /// Reads a verified envelope. Everything that can be said without knowing any balance is checked.
    pub(crate) fn read(envelope: Verified<Envelope>, genesis: &Genesis) -> Result<Self, Refusal> {
        Self::check_size(envelope.size())?;
        if envelope.title() != Self::TITLE {
            return Err(Refusal::NotATransfer(envelope.title().to_owned()));
        }
        let message = envelope.message();
        let order = message.starts_with(b"{").then(|| serde_json::from_slice::<Order>(&message).ok()).flatten();
        let order = order.ok_or(Refusal::Malformed("the message is no order to transfer"))?;
        if order.chain != genesis.hash() {
            return Err(Refusal::OtherChain(order.chain));
        }
        if order.amount == Amount::ZERO {
            return Err(Refusal::ZeroAmount);
        }
        let least = genesis.rules().min_fee;
        if order.fee < least {
            return Err(Refusal::FeeTooLow { fee: order.fee, least });
        }
        if order.amount.plus(order.fee).is_none() || order.nonce > Amount::MAX.units() {
            return Err(Refusal::Malformed("its numbers are too large"));
        }
        Ok(Transfer { envelope, order })
    }

    /// The transfer that `order` says, signed by `scheme`'s identity at `time`.
    pub(crate) fn sign(order: &Order, scheme: &Signed, time: Timestamp, genesis: &Genesis) -> Result<Self, Refusal> {
        let title: Title = Self::TITLE.parse().map_err(|_| Refusal::Malformed("its title"))?;
        let message = serde_json::to_vec(order).map_err(|_| Refusal::Malformed("its order"))?;
        let draft = Draft { title, message: message.into(), time, lifetime: Lifetime::DEFAULT };
        let envelope = scheme.publish(&draft).map_err(|_| Refusal::Malformed("its order is too long"))?;
        Self::read(envelope, genesis)
    }

    fn check_size(size: usize) -> Result<(), Refusal> {
        let limit = Self::MAX_BYTES;
        if size > limit { Err(Refusal::Oversize { size, limit }) } else { Ok(()) }
    }

    pub(crate) fn id(&self) -> EnvelopeId {
        self.envelope.id()
    }

    pub(crate) fn sender(&self) -> NodeId {
        self.envelope.sender()
    }

    pub(crate) fn order(&self) -> &Order {
        &self.order
    }

    pub(crate) fn envelope(&self) -> &Verified<Envelope> {
        &self.envelope
    }

    /// The envelope as it goes into a block.
    pub(crate) fn as_bytes(&self) -> &Bytes {
        self.envelope.as_bytes()
    }

    /// What it takes from its sender. That it is an amount was made sure of when it was read.
    pub(crate) fn cost(&self) -> Amount {
        self.order.amount.plus(self.order.fee).unwrap_or(Amount::MAX)
    }

    /// The same in a buffer of its own: those of a block share the block's.
    pub(crate) fn compact(&self) -> Self {
        Transfer { envelope: self.envelope.compact(), order: self.order.clone() }
    }
}

impl fmt::Debug for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Order { to, amount, fee, nonce, .. } = &self.order;
        write!(f, "Transfer({:#}: {:#} -> {to:#} {amount}+{fee} #{nonce})", self.id(), self.sender())
    }
}
