//! Every door by which bytes of a stranger come in, in one list: the fuzz targets (`fuzz/`) and the property tests
//! (`tests/models/fuzzing.rs`) knock at the same ones.
//!
//! An entry takes any bytes. What it asserts beyond "no panic" stands beside it. Its seeds are good inputs to begin from.

#[cfg(all(unix, feature = "control"))]
mod control;
mod core;
mod envelopes;
mod files;
mod links;
mod papers;

/// One door.
pub(crate) struct Entry {
    /// Its name, which is also the fuzz target's.
    pub(crate) name: &'static str,
    /// Knocks.
    pub(crate) run: fn(&[u8]),
    /// Inputs that get in, or far.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub(crate) const ALL: &[Entry] = &[
    Entry { name: "handshake", run: links::handshake, seeds: links::handshake_seeds },
    Entry { name: "records", run: links::records, seeds: links::records_seeds },
    Entry { name: "hello", run: links::hello, seeds: links::hello_seeds },
    Entry { name: "frames", run: links::frames, seeds: links::frames_seeds },
    Entry { name: "reconcile", run: links::reconcile, seeds: links::reconcile_seeds },
    Entry { name: "envelope", run: envelopes::envelope, seeds: envelopes::envelope_seeds },
    Entry { name: "json", run: envelopes::json, seeds: envelopes::json_seeds },
    Entry { name: "presence", run: envelopes::presence, seeds: envelopes::presence_seeds },
    Entry { name: "member", run: envelopes::member, seeds: envelopes::member_seeds },
    #[cfg(feature = "sealed")]
    Entry { name: "sealed", run: envelopes::sealed, seeds: envelopes::sealed_seeds },
    #[cfg(feature = "sealed")]
    Entry { name: "sealed_file", run: files::sealed_file, seeds: files::sealed_file_seeds },
    Entry { name: "certificate", run: papers::certificate, seeds: papers::certificate_seeds },
    Entry { name: "revocations", run: papers::revocations, seeds: papers::revocations_seeds },
    Entry { name: "config", run: files::config, seeds: files::config_seeds },
    #[cfg(unix)]
    Entry { name: "key_file", run: files::key_file, seeds: files::key_file_seeds },
    Entry { name: "texts", run: files::texts, seeds: files::texts_seeds },
    #[cfg(all(unix, feature = "control"))]
    Entry { name: "control", run: control::control, seeds: control::control_seeds },
    Entry { name: "core", run: core::core, seeds: core::core_seeds },
];

/// The input, taken apart: numbers that steer what is done, and bytes that are done it with. At the end it gives zeros.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Input(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    /// One of the numbers below `count`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count.max(1)
    }

    pub(crate) fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// At most so many bytes.
    pub(crate) fn bytes(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
}
