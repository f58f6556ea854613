//! Writing: everything new is complete and on disk before anything old is touched.

use std::ffi::{OsStr, OsString};
#[cfg(any(feature = "sealed", feature = "control"))]
use std::path::Path;
use std::path::PathBuf;

use super::super::{KeyFileError, KeyFileProblem, NewFile, Overwrite};
use super::folder::Folder;

/// What stands where a file is to be written.
#[derive(PartialEq)]
enum Found {
    Nothing,
    /// The same public contents: nothing to do.
    Same,
    InTheWay,
}

/// Writes `files`, which belong together and are all in the folder of the first; gives the paths of what was kept aside.
///
/// The first is the one that counts. It is put in its place in one step; the others are taken away before and put back
/// after, so that a crash may leave one missing, but none that belongs to another first.
pub(in super::super::super) fn save(files: &[NewFile<'_>], overwrite: Overwrite) -> Result<Vec<PathBuf>, KeyFileError> {
    let Some(first) = files.first() else { return Ok(Vec::new()) };
    let name_of = |file: &NewFile<'_>| match file.path.file_name() {
        Some(name) => Ok(name.to_owned()),
        None => Err(KeyFileError::new(&file.path, KeyFileProblem::Name)),
    };
    let names = files.iter().map(name_of).collect::<Result<Vec<_>, _>>()?;
    let folder = Folder::of(&first.path)?;

    let mut steps = Vec::with_capacity(files.len());
    for (file, name) in files.iter().zip(&names) {
        let found = if !folder.has_file(name)? {
            Found::Nothing
        } else if !file.is_secret && folder.holds(name, file.contents)? {
            Found::Same
        } else if overwrite == Overwrite::Refuse {
            return Err(KeyFileError::new(&folder.path_of(name), KeyFileProblem::Exists));
        } else {
            Found::InTheWay
        };
        steps.push((file, name, found));
    }
    steps.retain(|(_, _, found)| *found != Found::Same);

    let mut placements = Vec::with_capacity(steps.len());
    for (file, name, found) in &steps {
        let mode = if file.is_secret { 0o600 } else { 0o644 };
        placements.push((folder.write_temporary(name, file.contents, mode)?, *name, *found == Found::InTheWay));
    }

    let in_the_way: Vec<&OsStr> =
        placements.iter().filter(|(_, _, in_the_way)| *in_the_way).map(|(_, name, _)| name.as_os_str()).collect();
    let kept_aside = keep_aside(&folder, &in_the_way)?;
    for (_, name, in_the_way) in placements.iter().skip(1) {
        if *in_the_way {
            folder.unlink(name)?;
        }
    }
    // After a loss of power, what was done last may be there and what was done before not, if nothing is in between.
    folder.sync()?;
    for (i, (temporary, name, in_the_way)) in placements.into_iter().enumerate() {
        if i == 0 && in_the_way {
            temporary.replace(name)?
        } else {
            temporary.place(name)?
        }
        folder.sync()?;
    }
    Ok(kept_aside)
}

/// Writes one secret in one step in place of what is there, of which nothing is kept.
#[cfg(any(feature = "sealed", feature = "control"))]
pub(in super::super::super) fn replace(path: &Path, contents: &[u8]) -> Result<(), KeyFileError> {
    let name = path.file_name().ok_or_else(|| KeyFileError::new(path, KeyFileProblem::Name))?;
    let folder = Folder::shared(path)?;
    // Only a regular file is replaced: not a link, not a device.
    folder.has_file(name)?;
    let temporary = folder.write_temporary(name, contents, 0o600)?;
    folder.sync()?;
    temporary.replace(name)?;
    folder.sync()
}

/// Gives each of `names` a further name that was free, all with the same number, and brings that to the disk.
fn keep_aside(folder: &Folder, names: &[&OsStr]) -> Result<Vec<PathBuf>, KeyFileError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let aside = |name: &OsStr, n: u32| {
        let mut aside = OsString::from(name);
        aside.push(format!(".old-{n}"));
        aside
    };
    let mut n = 1;
    'numbers: loop {
        for name in names {
            if folder.is_taken(&aside(name, n))? {
                n += 1;
                continue 'numbers;
            }
        }
        break;
    }
    for name in names {
        folder.link(name, &aside(name, n))?;
    }
    folder.sync()?;
    Ok(names.iter().map(|name| folder.path_of(&aside(name, n))).collect())
}
