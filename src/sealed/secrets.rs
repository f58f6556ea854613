//! A reader's secret keys: the current one, and older ones for what was sealed to them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use super::{SealKey, SealSecret};
use crate::envelope::Timestamp;
use crate::identity::{KeyFileError, KeyFileProblem, RandomnessError, read_secret_file, replace_secret_file};

/// The first line of the file.
const HEADER: &[u8] = b"sealnet seal keys 1";
/// Longer than any file of [`SealSecrets::MAX`] keys.
const MAX_LEN: usize = 4096;
/// A key from further in the future than this was made by a clock that was wrong.
const AHEAD: Duration = Duration::from_secs(24 * 3600);

/// When keys change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// A new key is made after this time. Others may seal to one for twice as long, since they may hear of the next one
    /// late. Shorter means that less can be read with a stolen key, and that the secret file is written more often.
    pub every: Duration,
    /// How long a secret key is kept after others should have stopped using it: as long as messages are kept, so that who
    /// was away can still open what waits. After that it is deleted, and what was sealed to it is unreadable for ever.
    pub keep: Duration,
}

impl Rotation {
    const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
}

impl Default for Rotation {
    /// A new key each week; old ones are kept for a week more.
    fn default() -> Self {
        Rotation { every: Self::WEEK, keep: Self::WEEK }
    }
}

#[derive(Debug)]
struct Dated {
    secret: SealSecret,
    made: Timestamp,
    /// Others may seal to it up to here.
    until: Timestamp,
}

impl Dated {
    fn new(secret: SealSecret, now: Timestamp, rotation: &Rotation) -> Self {
        Dated { secret, made: now, until: now.plus(rotation.every.saturating_mul(2)) }
    }
}

/// A reader's secret keys: one that others are to seal to, and older ones that still open what they sealed before.
///
/// They lie in a file of mode 0600, apart from the identity's: deleting old keys is the point of them, and an identity is
/// never deleted.
pub struct SealSecrets {
    current: Dated,
    /// Newest first.
    old: Vec<Dated>,
}

/// Seal keys could not be read, made or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealSecretsError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// The file holds something else.
    #[error(
        "{} holds no seal keys, or is damaged; put back a copy, or move it away: new keys are made, and what was sealed to \
         the old ones stays sealed",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
}

impl From<SealSecret> for SealSecrets {
    /// One key that never changes.
    fn from(secret: SealSecret) -> Self {
        let current = Dated { secret, made: Timestamp::default(), until: Timestamp::MAX };
        SealSecrets { current, old: Vec::new() }
    }
}

impl SealSecrets {
    /// How many keys there are at most; the oldest goes first.
    pub const MAX: usize = 16;

    /// A first key, made now.
    ///
    /// # Errors
    /// If the operating system cannot give random bytes.
    pub fn generate(now: Timestamp, rotation: &Rotation) -> Result<Self, RandomnessError> {
        Ok(SealSecrets { current: Dated::new(SealSecret::generate()?, now, rotation), old: Vec::new() })
    }

    /// The key that others are to seal to.
    pub fn key(&self) -> &SealKey {
        self.current.secret.key()
    }

    /// Until when others may seal to it.
    pub fn until(&self) -> Timestamp {
        self.current.until
    }

    /// How many keys there are, old ones included.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        1 + self.old.len()
    }

    /// All keys, the current one first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &SealSecret> {
        std::iter::once(&self.current).chain(&self.old).map(|dated| &dated.secret)
    }

    /// Makes a new key now; the one before becomes an old one.
    ///
    /// # Errors
    /// If the operating system cannot give random bytes; nothing has changed then.
    pub fn rotate(&mut self, now: Timestamp, rotation: &Rotation) -> Result<(), RandomnessError> {
        let new = Dated::new(SealSecret::generate()?, now, rotation);
        self.old.insert(0, std::mem::replace(&mut self.current, new));
        self.old.truncate(Self::MAX - 1);
        Ok(())
    }

    /// Makes a new key if it is time for one, and deletes those that have been kept long enough. Says whether anything
    /// changed; then the file is to be written.
    ///
    /// # Errors
    /// If the operating system cannot give random bytes.
    pub fn keep_up(&mut self, now: Timestamp, rotation: &Rotation) -> Result<bool, RandomnessError> {
        let made = self.current.made;
        let is_due = now >= made.plus(rotation.every) || made > now.plus(AHEAD);
        // A key that never changes never runs out either.
        let is_due = is_due && self.current.until < Timestamp::MAX;
        if is_due {
            self.rotate(now, rotation)?;
        }
        let before = self.old.len();
        self.old.retain(|dated| now <= dated.until.plus(rotation.keep));
        Ok(is_due || self.old.len() < before)
    }

    /// Reads the keys in the file `path`.
    ///
    /// # Errors
    /// As [`read_secret_file`], and if the file holds anything else.
    pub fn load(path: &Path) -> Result<Self, SealSecretsError> {
        let text = read_secret_file(path, MAX_LEN)?;
        decode(&text).ok_or_else(|| SealSecretsError::Damaged { path: path.to_owned() })
    }

    /// Reads the keys in the file `path` and brings them up to date; if there is no file yet, makes the first key. What
    /// changed is in the file when this returns.
    ///
    /// # Errors
    /// Those of [`load`](Self::load) and [`save`](Self::save), and if the operating system cannot give random bytes.
    pub fn load_or_make(path: &Path, now: Timestamp, rotation: &Rotation) -> Result<Self, SealSecretsError> {
        match Self::load(path) {
            Ok(mut secrets) => {
                if secrets.keep_up(now, rotation)? {
                    secrets.save(path)?;
                }
                Ok(secrets)
            }
            Err(SealSecretsError::File(error)) if matches!(error.problem(), KeyFileProblem::Missing) => {
                let secrets = Self::generate(now, rotation)?;
                secrets.save(path)?;
                Ok(secrets)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes the keys to `path`, mode 0600, in one step in place of what is there. Nothing of the old file is kept aside:
    /// a key that was deleted is to be gone.
    ///
    /// # Errors
    /// If the folder is not safe, or writing fails; the old file is untouched then.
    pub fn save(&self, path: &Path) -> Result<(), SealSecretsError> {
        Ok(replace_secret_file(path, &self.encode())?)
    }

    /// A line a key: secret half, when it was made, until when others may seal to it (µs).
    fn encode(&self) -> Zeroizing<Vec<u8>> {
        // Never enlarged, which would leave a copy behind.
        let mut text = Zeroizing::new(Vec::with_capacity(MAX_LEN));
        text.extend_from_slice(HEADER);
        text.push(b'\n');
        for Dated { secret, made, until } in std::iter::once(&self.current).chain(&self.old) {
            let mut digits = Zeroizing::new([0; 64]);
            HEXLOWER.encode_mut(secret.as_bytes(), &mut *digits);
            text.extend_from_slice(&*digits);
            text.extend_from_slice(format!(" {} {}\n", made.as_micros(), until.as_micros()).as_bytes());
        }
        text
    }
}

fn decode(text: &[u8]) -> Option<SealSecrets> {
    let mut lines = text.strip_suffix(b"\n")?.split(|byte| *byte == b'\n');
    if lines.next() != Some(HEADER) {
        return None;
    }
    let mut keys = lines.map(decode_line).collect::<Option<Vec<Dated>>>()?;
    if keys.is_empty() || keys.len() > SealSecrets::MAX {
        return None;
    }
    let current = keys.remove(0);
    Some(SealSecrets { current, old: keys })
}

fn decode_line(line: &[u8]) -> Option<Dated> {
    let mut words = line.split(|byte| *byte == b' ');
    let mut secret = Zeroizing::new([0; 32]);
    let digits = words.next().filter(|digits| digits.len() == 64)?;
    HEXLOWER.decode_mut(digits, &mut *secret).ok()?;
    let mut time = || {
        let digits = std::str::from_utf8(words.next()?).ok()?;
        Timestamp::from_micros(digits.parse().ok()?).filter(|time| time.as_micros().to_string() == digits)
    };
    let (made, until) = (time()?, time()?);
    words.next().is_none().then(|| Dated { secret: SealSecret::from_bytes(&secret), made, until })
}

impl fmt::Debug for SealSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealSecrets")
            .field("current", self.key())
            .field("until", &self.until())
            .field("old", &self.old.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn day(n: u32) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000).unwrap().plus(DAY * n)
    }

    fn keys(secrets: &SealSecrets) -> Vec<SealKey> {
        secrets.iter().map(|secret| *secret.key()).collect()
    }

    #[test]
    fn keys_change_each_week_open_for_three_and_are_then_gone() {
        let rotation = Rotation::default();
        let mut secrets = SealSecrets::generate(day(0), &rotation).unwrap();
        let first = *secrets.key();
        assert_eq!(secrets.until(), day(14));
        assert!(!secrets.keep_up(day(6), &rotation).unwrap());
        assert!(secrets.keep_up(day(7), &rotation).unwrap());
        assert_ne!(*secrets.key(), first);
        assert_eq!((secrets.len(), secrets.until()), (2, day(21)));
        for n in 8..=21 {
            secrets.keep_up(day(n), &rotation).unwrap();
            assert!(keys(&secrets).contains(&first), "on day {n}");
        }
        assert!(secrets.keep_up(day(22), &rotation).unwrap());
        assert!(!keys(&secrets).contains(&first), "deleted a week after others should have stopped using it");
    }

    #[test]
    fn who_was_away_for_long_gets_a_new_key_and_keeps_what_may_still_wait() {
        let rotation = Rotation::default();
        let mut secrets = SealSecrets::generate(day(0), &rotation).unwrap();
        let first = *secrets.key();
        assert!(secrets.keep_up(day(20), &rotation).unwrap());
        assert_eq!(keys(&secrets)[1..], [first]);
        assert!(secrets.keep_up(day(100), &rotation).unwrap());
        assert_eq!(secrets.len(), 1);
    }

    #[test]
    fn a_key_from_a_clock_that_was_a_year_ahead_is_replaced() {
        let rotation = Rotation::default();
        let mut secrets = SealSecrets::generate(day(365), &rotation).unwrap();
        assert!(secrets.keep_up(day(0), &rotation).unwrap());
        assert_eq!(secrets.until(), day(14));
    }

    #[test]
    fn there_are_never_more_than_sixteen() {
        let rotation = Rotation::default();
        let mut secrets = SealSecrets::generate(day(0), &rotation).unwrap();
        (0..40).for_each(|_| secrets.rotate(day(0), &rotation).unwrap());
        assert_eq!(secrets.len(), SealSecrets::MAX);
        assert!(secrets.encode().len() < MAX_LEN);
    }

    #[test]
    fn a_fixed_key_stays() {
        let mut secrets = SealSecrets::from(SealSecret::from_bytes(&[7; 32]));
        assert!(!secrets.keep_up(day(9000), &Rotation::default()).unwrap());
    }

    #[test]
    fn what_is_not_exactly_such_a_file_is_refused() {
        let mut secrets = SealSecrets::generate(day(0), &Rotation::default()).unwrap();
        secrets.rotate(day(7), &Rotation::default()).unwrap();
        let good = String::from_utf8(secrets.encode().to_vec()).unwrap();
        assert_eq!(keys(&decode(good.as_bytes()).unwrap()), keys(&secrets));
        for len in 0..good.len() {
            let cut = decode(&good.as_bytes()[..len]);
            // Cut at the end of a line, it is a file with fewer keys.
            assert!(cut.is_none() || good.as_bytes()[len - 1] == b'\n', "{len}");
        }
        for bad in [
            "",
            "sealnet seal keys 1\n",
            &good.replace("keys 1", "keys 2"),
            &good.replace('\n', "\r\n"),
            &format!("{good}\n"),
            &good.replace(" 17", "  17"),
            &good.replace(" 17", " +17"),
            &good.replace(" 17", " 017"),
            &good.replace('\n', " \n"),
            &good.to_uppercase(),
            &format!("{}\n{}", "sealnet seal keys 1", good.lines().nth(1).unwrap().repeat(2)),
        ] {
            assert!(decode(bad.as_bytes()).is_none(), "{bad}");
        }
        let line = good.lines().nth(1).unwrap();
        let many = format!("sealnet seal keys 1\n{}", format!("{line}\n").repeat(SealSecrets::MAX + 1));
        assert!(decode(many.as_bytes()).is_none());
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_private_replaced_whole_and_keeps_nothing_of_deleted_keys() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        // As a running node holds its own folder, in which its seal keys lie.
        let held = std::fs::File::open(folder.path()).unwrap();
        held.lock().unwrap();
        let path = folder.path().join("seal.keys");
        let rotation = Rotation::default();
        let first = SealSecrets::load_or_make(&path, day(0), &rotation).unwrap();
        let again = SealSecrets::load_or_make(&path, day(1), &rotation).unwrap();
        assert_eq!(keys(&again), keys(&first));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&path), 0o600);
        let later = SealSecrets::load_or_make(&path, day(50), &rotation).unwrap();
        assert!(!keys(&later).contains(first.key()) && mode(&path) == 0o600);
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["seal.keys"], "no copy lies about");

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let refused = SealSecrets::load_or_make(&path, day(50), &rotation).unwrap_err().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "garbage").unwrap();
        let refused = SealSecrets::load_or_make(&path, day(50), &rotation).unwrap_err();
        assert!(matches!(refused, SealSecretsError::Damaged { .. }));
        assert_eq!(std::fs::read(&path).unwrap(), b"garbage", "it is left alone");
    }

    #[test]
    fn secret_keys_are_never_printed() {
        let shown = format!("{0:?} {0:#?}", SealSecrets::from(SealSecret::from_bytes(&[0xAB; 32])));
        assert!(!shown.to_lowercase().contains("abab") && !shown.contains("171, 171"), "{shown}");
    }

    proptest! {
        #[test]
        fn hostile_files_never_panic(text in r"(sealnet seal keys 1\n)?[0-9a-f \n]{0,300}") {
            let _ = decode(text.as_bytes());
        }
    }
}
