//! A message on one line, for a person.

use super::escape;
use super::output::{GOOD, NAME};
use crate::envelope::Envelope;
use crate::identity::NodeId;

/// When, under which title, who and what; `own` is the node that shows it.
pub(super) fn line(envelope: &Envelope, own: NodeId) -> String {
    let time = envelope.time().to_string();
    let clock = time.get(11..19).unwrap_or(&time);
    let message = envelope.message();
    let text = match std::str::from_utf8(&message) {
        Ok(text) => escape(text).to_string(),
        Err(_) => format!("({} bytes that are no text)", message.len()),
    };
    let who = if envelope.sender() == own { "me".to_owned() } else { format!("{:#}", envelope.sender()) };
    let title = escape(envelope.title());
    format!("{NAME}{clock}{NAME:#}  {title}  {GOOD}{who:<8}{GOOD:#}  {text}")
}
