//! What the fuzz targets share: the doors, which they have in common with the property tests (`tests/models/fuzzing.rs`).

#[path = "../../tests/entries/mod.rs"]
mod entries;

use std::path::Path;
use std::sync::OnceLock;

use entries::Entry;

/// Knocks at the door that has this name.
///
/// # Panics
/// If what came in breaks a promise; that is what is looked for.
pub fn knock(name: &str, data: &[u8]) {
    static ENTRY: OnceLock<&'static Entry> = OnceLock::new();
    (ENTRY.get_or_init(|| entry(name)).run)(data);
}

/// Gives a search its beginning: writes the door's seeds into the folder that `SEALNET_SEEDS` names, if it names one.
///
/// # Panics
/// If they cannot be written.
pub fn write_seeds(name: &str) {
    let Some(folder) = std::env::var_os("SEALNET_SEEDS") else { return };
    for (number, seed) in (entry(name).seeds)().into_iter().enumerate() {
        std::fs::write(Path::new(&folder).join(format!("seed-{number}")), seed).expect("the folder can be written to");
    }
}

fn entry(name: &str) -> &'static Entry {
    entries::ALL.iter().find(|entry| entry.name == name).expect("the target is named for a door")
}
