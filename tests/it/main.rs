//! What the crate promises, seen from outside; one module per subject.

mod noise_handshake;
mod noise_snow;
mod noise_vectors;
