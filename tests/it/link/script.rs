//! A peer that is scripted step by step with the crate's own Noise machine.

use super::*;

/// One end of a connection in network "a", without a network key, that says whatever a test wants.
pub(crate) struct Script {
    pub(crate) stream: DuplexStream,
    handshake: Option<HandshakeState>,
    keypair: Arc<Keypair>,
    records: Option<(RecordSealer, RecordOpener)>,
}

/// The honest payload of identity `n`.
pub(crate) fn honest(n: u8) -> impl Fn(&HandshakeState, &Keypair) -> Vec<u8> {
    move |handshake, keypair| {
        let h = handshake.handshake_hash().unwrap();
        IdentityProof::sign(&identity(n), handshake.role(), &h, keypair.public()).encode().to_vec()
    }
}

impl Script {
    pub(crate) fn new(stream: DuplexStream, is_initiator: bool) -> Self {
        let keypair = Arc::new(Keypair::generate().unwrap());
        let prologue = Preamble::new(Mode::Xx).prologue(&network("a"));
        let builder = Builder::new(HandshakePattern::XX).prologue(&prologue).unwrap();
        let builder = builder.local_static(Arc::clone(&keypair)).unwrap();
        let handshake = if is_initiator { builder.initiator() } else { builder.responder() };
        Script { stream, handshake: Some(handshake.unwrap()), keypair, records: None }
    }

    pub(crate) fn handshake(&mut self) -> &mut HandshakeState {
        self.handshake.as_mut().unwrap()
    }

    pub(crate) async fn write(&mut self, payload: &[u8]) {
        let mut message = Vec::new();
        self.handshake().write_message(payload, &mut message).unwrap();
        let len = u16::try_from(message.len()).unwrap().to_be_bytes();
        self.stream.write_all(&[&len, &message[..]].concat()).await.unwrap();
    }

    pub(crate) async fn read(&mut self) -> Vec<u8> {
        let len = self.stream.read_u16().await.unwrap();
        let mut message = vec![0; usize::from(len)];
        self.stream.read_exact(&mut message).await.unwrap();
        let mut payload = Vec::new();
        self.handshake().read_message(&message, &mut payload).unwrap();
        payload
    }

    pub(crate) fn finish(&mut self) {
        let TransportState { sender, receiver, .. } = self.handshake.take().unwrap().into_transport().unwrap();
        self.records = Some((RecordSealer::new(sender), RecordOpener::new(receiver)));
    }

    /// The initiator's handshake, with `prove`'s payload.
    pub(crate) async fn initiate(stream: DuplexStream, prove: impl Fn(&HandshakeState, &Keypair) -> Vec<u8>) -> Script {
        let mut script = Script::new(stream, true);
        script.stream.write_all(Preamble::new(Mode::Xx).as_bytes()).await.unwrap();
        script.write(&[]).await;
        script.read().await;
        let payload = prove(script.handshake.as_ref().unwrap(), &script.keypair);
        script.write(&payload).await;
        script.finish();
        script
    }

    /// The responder's handshake up to message 2, with `prove`'s payload.
    pub(crate) async fn answer(stream: DuplexStream, prove: impl Fn(&HandshakeState, &Keypair) -> Vec<u8>) -> Script {
        let mut script = Script::new(stream, false);
        script.stream.read_exact(&mut [0; PREAMBLE]).await.unwrap();
        script.read().await;
        let payload = prove(script.handshake.as_ref().unwrap(), &script.keypair);
        script.write(&payload).await;
        script
    }

    /// The responder's whole handshake.
    pub(crate) async fn respond(stream: DuplexStream, prove: impl Fn(&HandshakeState, &Keypair) -> Vec<u8>) -> Script {
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

    /// The frames of the next record.
    pub(crate) async fn frames(&mut self) -> Vec<Frame> {
        let len = self.stream.read_u16().await.unwrap();
        let mut body = vec![0; usize::from(len)];
        self.stream.read_exact(&mut body).await.unwrap();
        let len = self.records.as_mut().unwrap().1.open(&mut body).unwrap();
        body.truncate(len);
        let mut decoder = FrameDecoder::new();
        decoder.push(body);
        std::iter::from_fn(|| decoder.next_frame().unwrap()).collect()
    }
}
