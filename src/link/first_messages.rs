//! Which first messages were heard lately.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::noise::PublicKey;

/// How many are remembered: 256 KiB at most.
const MOST: usize = 4_096;

/// For how long.
const KEEP: Duration = Duration::from_secs(600);

/// Remembers the ephemeral keys of first messages that decrypted, on networks with a network key.
///
/// Who recorded such a message can play it again without knowing the key, and would get an answer and some work out of
/// this node each time. An honest dialler never uses an ephemeral key twice.
#[derive(Debug, Default)]
pub(super) struct FirstMessages {
    known: HashSet<PublicKey>,
    by_age: VecDeque<(Instant, PublicKey)>,
}

impl FirstMessages {
    /// Remembers `key`; `false` if it is remembered already.
    pub(super) fn is_new(&mut self, key: PublicKey, now: Instant) -> bool {
        while let Some((since, oldest)) = self.by_age.front() {
            if self.by_age.len() < MOST && now.saturating_duration_since(*since) < KEEP {
                break;
            }
            self.known.remove(oldest);
            self.by_age.pop_front();
        }
        let is_new = self.known.insert(key);
        if is_new {
            self.by_age.push_back((now, key));
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u32) -> PublicKey {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&n.to_le_bytes());
        PublicKey::from_bytes(bytes).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_message_is_new_once_in_ten_minutes() {
        let (mut heard, start) = (FirstMessages::default(), Instant::now());
        assert!(heard.is_new(key(1), start));
        assert!(!heard.is_new(key(1), start + KEEP - Duration::from_millis(1)));
        assert!(heard.is_new(key(1), start + KEEP));
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_and_the_latest_are_kept() {
        let (mut heard, now) = (FirstMessages::default(), Instant::now());
        let most = u32::try_from(MOST).unwrap();
        for n in 0..3 * most {
            assert!(heard.is_new(key(n), now));
            assert!(heard.known.len() <= MOST && heard.by_age.len() == heard.known.len());
        }
        // Asking makes room for one, whether it is new or not.
        assert!(!heard.is_new(key(2 * most + 1), now));
        assert!(!heard.is_new(key(3 * most - 1), now));
        assert!(heard.is_new(key(0), now));
    }
}
