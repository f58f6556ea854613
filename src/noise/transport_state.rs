//! What a finished handshake leaves (specification, section 5.3, `Split`).

use std::fmt;

use super::{CipherState, HASH_LEN, PublicKey};

/// The two directions of a connection after its handshake, and what the handshake established.
///
/// Take it apart to give the halves to the tasks that write and read: each owns its key and shares nothing.
///
/// ```
/// # use std::sync::Arc;
/// # use sealnet::noise::{Builder, HandshakePattern, Keypair, NoiseError, TransportState};
/// # let (mut ours, mut theirs) = (
/// #     Builder::new(HandshakePattern::XX).local_static(Keypair::generate()?)?.initiator()?,
/// #     Builder::new(HandshakePattern::XX).local_static(Keypair::generate()?)?.responder()?,
/// # );
/// # for turn in 0..3 {
/// #     let (mut message, mut payload) = (Vec::new(), Vec::new());
/// #     let (writer, reader) = if turn == 1 { (&mut theirs, &mut ours) } else { (&mut ours, &mut theirs) };
/// #     writer.write_message(&[], &mut message)?;
/// #     reader.read_message(&message, &mut payload)?;
/// # }
/// let TransportState { mut sender, .. } = ours.into_transport()?;
/// let TransportState { mut receiver, .. } = theirs.into_transport()?;
///
/// let mut record = *b"hello, and room for the tag: ................";
/// let (plaintext, tag) = record.split_last_chunk_mut::<16>().unwrap();
/// *tag = sender.encrypt_in_place(plaintext)?;
/// let len = receiver.decrypt_in_place(&mut record)?;
/// assert_eq!(&record[..len], b"hello, and room for the tag: ");
/// # Ok::<(), NoiseError>(())
/// ```
#[non_exhaustive]
pub struct TransportState {
    /// Seals what this end sends.
    pub sender: CipherState,
    /// Opens what the peer sent.
    pub receiver: CipherState,
    /// The final `h`: the same at both ends of this session and no other (section 11.2, channel binding).
    pub handshake_hash: [u8; HASH_LEN],
    /// The peer's static key, if the pattern has one.
    pub remote_static: Option<PublicKey>,
}

impl fmt::Debug for TransportState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportState")
            .field("sender", &self.sender)
            .field("receiver", &self.receiver)
            .field("remote_static", &self.remote_static)
            .finish_non_exhaustive()
    }
}
