//! What the crate promises, seen from outside; one module per subject. One program, because each one links the world.

mod apps;
mod asked;
mod attack;
mod bench;
mod broadcasting;
#[cfg(all(feature = "cli", feature = "disk"))]
mod chaos;
mod cli;
mod closed;
#[cfg(all(unix, feature = "cli"))]
mod closed_processes;
mod closed_sim;
mod config;
#[cfg(all(unix, feature = "cli"))]
mod control;
mod damage;
mod devnet;
#[cfg(feature = "disk")]
mod disk_log;
mod doctor;
mod errors;
#[cfg(unix)]
mod file_drop;
mod hostile;
mod joining;
mod keys;
#[cfg(feature = "disk")]
mod kv;
mod link;
mod noise_handshake;
mod noise_snow;
mod noise_vectors;
mod others;
mod parsers;
mod passphrases;
#[allow(dead_code, reason = "the tests in tests/attacks use the rest of it")]
mod peer;
mod place;
mod plain;
mod processes;
#[allow(dead_code, reason = "the tests in tests/attacks use the rest of it")]
mod program;
mod prompt;
mod readme;
mod requests;
mod scenarios;
mod sealed_files;
mod sealed_messages;
mod sim;
mod simulate;
mod support;
mod terminal;
mod tree;
#[cfg(all(unix, feature = "sealed"))]
mod vault;
mod vectors;
