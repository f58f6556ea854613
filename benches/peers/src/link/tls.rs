//! TLS 1.3 by rustls with ring's algorithms; both ends are proven by raw Ed25519 keys (RFC 7250), which is what Sealnet's
//! handshake proves. Nothing is resumed: every handshake is a whole one.

use std::sync::Arc;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime, alg_id};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::{End, Kind};
use crate::failure::{Outcome, said};

/// What stands before the seed of an Ed25519 key in PKCS#8.
const PKCS8_HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// Read at once.
const READ: usize = 256 << 10;

/// With ChaCha20-Poly1305 alone, or with what rustls prefers.
pub(super) struct Tls<const CHACHA: bool> {
    connector: TlsConnector,
    acceptor: TlsAcceptor,
}

impl<const CHACHA: bool> Kind for Tls<CHACHA> {
    type End = TlsEnd;

    fn new() -> Outcome<Self> {
        let mut provider = ring::default_provider();
        if CHACHA {
            provider.cipher_suites.retain(|suite| suite.suite() == CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
        }
        let provider = Arc::new(provider);
        let (client, server) = (certified(1)?, certified(2)?);
        let proven = |key: &CertifiedKey| Arc::new(Proven { key: key.cert[0].to_vec(), provider: provider.clone() });
        let mut connecting = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(proven(&server))
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(client.clone())));
        connecting.resumption = Resumption::disabled();
        let mut accepting = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(proven(&client))
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(server)));
        accepting.session_storage = Arc::new(NoServerSessionStorage {});
        accepting.send_tls13_tickets = 0;
        Ok(Tls { connector: Arc::new(connecting).into(), acceptor: Arc::new(accepting).into() })
    }

    async fn dial(&self, stream: TcpStream) -> Outcome<TlsEnd> {
        let name = ServerName::try_from("peer.invalid")?;
        Ok(TlsEnd::new(self.connector.connect(name, stream).await?.into()))
    }

    async fn answer(&self, stream: TcpStream) -> Outcome<TlsEnd> {
        Ok(TlsEnd::new(self.acceptor.accept(stream).await?.into()))
    }
}

/// A raw key of our own.
fn certified(number: u8) -> Outcome<Arc<CertifiedKey>> {
    let seed = [number; 32];
    let public = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
    let signer = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from([&PKCS8_HEAD[..], &seed].concat()))?;
    let spki = rustls::sign::public_key_to_spki(&alg_id::ED25519, public);
    if signer.public_key().as_ref() != Some(&spki) {
        return Err(said("rustls reads another key"));
    }
    Ok(Arc::new(CertifiedKey::new(vec![CertificateDer::from(spki.to_vec())], signer)))
}

/// Takes one key, proven in the handshake, and no other.
#[derive(Debug)]
struct Proven {
    key: Vec<u8>,
    provider: Arc<CryptoProvider>,
}

impl Proven {
    fn check(&self, presented: &CertificateDer<'_>) -> Result<(), Error> {
        if presented.as_ref() == self.key { Ok(()) } else { Err(Error::General("another key".to_owned())) }
    }

    fn verify(
        &self,
        message: &[u8],
        presented: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(presented.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.provider.signature_verification_algorithms)
    }
}

impl ServerCertVerifier for Proven {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 alone".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Proven {
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 alone".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

pub(super) struct TlsEnd {
    stream: TlsStream<TcpStream>,
    packed: Vec<u8>,
    read: Vec<u8>,
}

impl TlsEnd {
    fn new(stream: TlsStream<TcpStream>) -> Self {
        TlsEnd { stream, packed: Vec::new(), read: Vec::new() }
    }
}

impl End for TlsEnd {
    async fn send(&mut self, messages: &[Bytes]) -> Outcome<()> {
        if let [message] = messages {
            self.stream.write_all(message).await?;
        } else {
            self.packed.clear();
            messages.iter().for_each(|message| self.packed.extend_from_slice(message));
            self.stream.write_all(&self.packed).await?;
        }
        self.stream.flush().await?;
        Ok(())
    }

    async fn receive(&mut self, take: &mut (impl FnMut(&[u8]) + Send)) -> Outcome<bool> {
        self.read.resize(READ, 0);
        let count = self.stream.read(&mut self.read).await?;
        take(&self.read[..count]);
        Ok(count > 0)
    }

    async fn finish(&mut self) -> Outcome<()> {
        self.stream.shutdown().await?;
        Ok(())
    }
}
