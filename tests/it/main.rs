//! What the crate promises, seen from outside; one module per subject.

mod noise_vectors;
