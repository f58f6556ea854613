//! Tests of the crate from outside, grouped by what they promise. One program, because each one links the world.

mod keys;
