//! What the crate promises, seen from outside; one module per subject. One program, because each one links the world.

mod broadcasting;
mod cli;
mod config;
#[cfg(feature = "disk")]
mod disk_log;
mod hostile;
mod joining;
mod keys;
mod link;
mod noise_handshake;
mod noise_snow;
mod noise_vectors;
mod others;
mod parsers;
mod processes;
mod program;
mod readme;
mod sim;
mod support;
mod vectors;
