//! The program `sealnet`.
fn main() {}
