//! A record sealed by one end and opened by the other.

use std::hint::black_box;

use sealnet::link::record::{HEAD_LEN, MAX_PLAINTEXT, RecordOpener, RecordSealer};
use sealnet::noise::{Builder, HandshakePattern, Keypair, TAG_LEN};

use super::{Failure, Step};

pub(super) fn sealed_and_opened(plaintext: usize) -> Result<Step, Failure> {
    let begin = || Builder::new(HandshakePattern::XX).local_static(Keypair::from_secret(&[7; 32]));
    let (mut dialler, mut listener) = (begin()?.initiator()?, begin()?.responder()?);
    let (mut message, mut payload) = (Vec::new(), Vec::new());
    while !dialler.is_finished() {
        message.clear();
        let (writer, reader) =
            if dialler.is_my_turn() { (&mut dialler, &mut listener) } else { (&mut listener, &mut dialler) };
        writer.write_message(b"", &mut message)?;
        reader.read_message(&message, &mut payload)?;
    }
    let mut sealer = RecordSealer::new(dialler.into_transport()?.sender);
    let mut opener = RecordOpener::new(listener.into_transport()?.receiver);
    let mut record = vec![0; HEAD_LEN + plaintext.min(MAX_PLAINTEXT) + TAG_LEN];
    Ok(Box::new(move || {
        let sealed = sealer.seal(&mut record).is_ok();
        let opened = opener.open(black_box(&mut record[HEAD_LEN..]));
        assert!(sealed && opened.is_ok(), "the record does not open");
    }))
}
