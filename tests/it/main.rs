//! What the crate promises, seen from outside; one module per subject. One program, because each one links the world.

mod broadcasting;
mod config;
mod hostile;
mod joining;
mod keys;
mod noise_handshake;
mod noise_snow;
mod noise_vectors;
mod others;
mod parsers;
mod sim;
mod support;
mod vectors;
