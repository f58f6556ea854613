//! What nobody thought of. Small worlds in which everything happens that can happen: broadcast and repair with three and
//! four real cores, over every order of events within a bound. (The handshake's model stands beside its code:
//! `src/link/noise_channel/model`.) And the doors for bytes of strangers, which fuzzing tries for hours, for a moment each.
//!
//! `SEALNET_MODELS=long cargo test --release models` goes further than a gate can wait for.

mod broadcast;
#[path = "../it/damage.rs"]
mod damage;
#[path = "../entries/mod.rs"]
mod entries;
mod fuzzing;
mod search;
mod world;

/// Whether the longer searches were asked for.
fn at_length() -> bool {
    std::env::var_os("SEALNET_MODELS").is_some_and(|value| value == "long")
}
