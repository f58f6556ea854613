//! Every parser, by properties: what is written is read back as it was, what is read has one spelling, and no bytes of
//! a stranger make it panic. (HELLO, frames, certificates and revocation lists have such tests beside their code; here
//! are those of the rest.)

mod envelopes;
mod files;
mod links;
mod texts;

use crate::damage::{Damage, damage};
