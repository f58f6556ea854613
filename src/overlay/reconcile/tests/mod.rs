//! What repair promises, with whole cores that talk to each other.

mod attacks;
mod net;
mod promises;
mod sessions;
