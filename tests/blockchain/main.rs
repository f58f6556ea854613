//! What the example `blockchain` promises. Its code is not a library, so it is compiled into this program.

#[allow(dead_code, unused_imports, reason = "the example's command line uses the rest of it")]
#[path = "../../examples/blockchain/chain/mod.rs"]
mod chain;
mod disk;
mod economy;
mod histories;
#[allow(dead_code, unused_imports, reason = "the example's command line uses the rest of it")]
#[path = "../../examples/blockchain/network/mod.rs"]
mod network;
mod refusals;
mod stage;
mod syncing;
mod waiting;
