//! A peer that is scripted step by step with the crate's own Noise machine.

use std::sync::Arc;

use sealnet::identity::{Identity, NetworkHash};
use sealnet::link::proof::IdentityProof;
use sealnet::link::record::{RecordOpener, RecordSealer};
use sealnet::noise::{Builder, HandshakePattern, HandshakeState, Keypair, TransportState};
use sealnet::wire::{Frame, FrameDecoder, Mode, Preamble};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// One end of a connection in network "a", without a network key, that says whatever a test wants.
pub(crate) struct Script<S> {
    pub(crate) stream: S,
    handshake: Option<HandshakeState>,
    keypair: Arc<Keypair>,
    records: Option<(RecordSealer, RecordOpener)>,
    decoder: FrameDecoder,
}

/// The honest payload of identity `n`.
pub(crate) fn honest(n: u8) -> impl Fn(&HandshakeState, &Keypair) -> Vec<u8> {
    move |handshake, keypair| {
        let h = handshake.handshake_hash().unwrap();
        let identity = Identity::from_seed(&[n; 32]);
        IdentityProof::sign(&identity, handshake.role(), &h, keypair.public()).encode().to_vec()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Script<S> {
    pub(crate) fn new(stream: S, is_initiator: bool) -> Self {
        let network = NetworkHash::secure(&"a".parse().unwrap());
        Self::bound_to(stream, is_initiator, &Preamble::new(Mode::Xx).prologue(&network))
    }

    /// With another prologue than the one that belongs to what is said in clear.
    pub(crate) fn bound_to(stream: S, is_initiator: bool, prologue: &[u8]) -> Self {
        let keypair = Arc::new(Keypair::generate().unwrap());
        let builder = Builder::new(HandshakePattern::XX).prologue(prologue).unwrap();
        let builder = builder.local_static(Arc::clone(&keypair)).unwrap();
        let handshake = if is_initiator { builder.initiator() } else { builder.responder() };
        Script { stream, handshake: Some(handshake.unwrap()), keypair, records: None, decoder: FrameDecoder::new() }
    }

    pub(crate) fn handshake(&mut self) -> &mut HandshakeState {
        self.handshake.as_mut().unwrap()
    }

    /// The next message of the handshake, behind its length.
    pub(crate) fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut message = Vec::new();
        self.handshake().write_message(payload, &mut message).unwrap();
        let len = u16::try_from(message.len()).unwrap().to_be_bytes();
        [&len, &message[..]].concat()
    }

    pub(crate) async fn write(&mut self, payload: &[u8]) {
        let message = self.message(payload);
        self.stream.write_all(&message).await.unwrap();
    }

    /// The bytes of the peer's next message, without its length.
    pub(crate) async fn heard(&mut self) -> Vec<u8> {
        let len = self.stream.read_u16().await.unwrap();
        let mut message = vec![0; usize::from(len)];
        self.stream.read_exact(&mut message).await.unwrap();
        message
    }

    pub(crate) async fn read(&mut self) -> Vec<u8> {
        let message = self.heard().await;
        let mut payload = Vec::new();
        self.handshake().read_message(&message, &mut payload).unwrap();
        payload
    }

    /// What `prove` puts into the next message.
    pub(crate) fn payload(&self, prove: impl Fn(&HandshakeState, &Keypair) -> Vec<u8>) -> Vec<u8> {
        prove(self.handshake.as_ref().unwrap(), &self.keypair)
    }

    pub(crate) fn finish(&mut self) {
        let TransportState { sender, receiver, .. } = self.handshake.take().unwrap().into_transport().unwrap();
        self.records = Some((RecordSealer::new(sender), RecordOpener::new(receiver)));
    }

    /// The initiator's handshake up to message 2.
    pub(crate) async fn dial(stream: S) -> Self {
        let mut script = Script::new(stream, true);
        script.stream.write_all(Preamble::new(Mode::Xx).as_bytes()).await.unwrap();
        script.write(&[]).await;
        script.read().await;
        script
    }

    /// The initiator's handshake, with `prove`'s payload.
    pub(crate) async fn initiate(stream: S, prove: impl Fn(&HandshakeState, &Keypair) -> Vec<u8>) -> Self {
        let mut script = Script::dial(stream).await;
        let payload = script.payload(prove);
        script.write(&payload).await;
        script.finish();
        script
    }

    /// The responder's handshake up to message 2, with `prove`'s payload.
    pub(crate) async fn answer(stream: S, prove: impl Fn(&HandshakeState, &Keypair) -> Vec<u8>) -> Self {
        let mut script = Script::new(stream, false);
        script.stream.read_exact(&mut [0; Preamble::LEN]).await.unwrap();
        script.read().await;
        let payload = script.payload(prove);
        script.write(&payload).await;
        script
    }

    /// The responder's whole handshake.
    pub(crate) async fn respond(stream: S, prove: impl Fn(&HandshakeState, &Keypair) -> Vec<u8>) -> Self {
        let mut script = Script::answer(stream, prove).await;
        script.read().await;
        script.finish();
        script
    }

    pub(crate) fn sealed(&mut self, plaintext: &[u8]) -> Vec<u8> {
        let mut record = [&[0; 2], plaintext, &[0; 16]].concat();
        self.records.as_mut().unwrap().0.seal(&mut record).unwrap();
        record
    }

    pub(crate) async fn send(&mut self, plaintext: &[u8]) {
        let record = self.sealed(plaintext);
        self.stream.write_all(&record).await.unwrap();
    }

    /// The frames that the next record completes; `None` when the peer has closed.
    pub(crate) async fn next_frames(&mut self) -> Option<Vec<Frame>> {
        let len = self.stream.read_u16().await.ok()?;
        let mut body = vec![0; usize::from(len)];
        self.stream.read_exact(&mut body).await.ok()?;
        let len = self.records.as_mut().unwrap().1.open(&mut body).unwrap();
        body.truncate(len);
        self.decoder.push(body);
        Some(std::iter::from_fn(|| self.decoder.next_frame().unwrap()).collect())
    }

    /// The frames of the next record.
    pub(crate) async fn frames(&mut self) -> Vec<Frame> {
        self.next_frames().await.expect("the peer has closed")
    }
}
