//! What is wrong with a simulated network: how far apart its nodes are, what gets lost, how little fits through.

use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

/// What lies between the nodes. By default nothing does but [`Settings::latency`](super::Settings::latency).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// In how many regions the nodes live. With 0 there are none, and each link draws its latency from
    /// [`Settings::latency`](super::Settings::latency); otherwise latencies follow from the distance of the regions.
    pub regions: u32,
    /// How much longer than its link's latency a frame may take; each draws its own.
    pub jitter: Duration,
    /// The part of all frames that gets lost. BROADCAST, HAVE, WANT and ABSENT vanish for good, as from a full outbox; TCP
    /// sends everything else again, so that it comes later.
    pub loss: Share,
    /// How many bytes a node may send in a second; what is more waits its turn. Frames of the broadcast lane that would
    /// wait behind more than 4 MiB vanish.
    pub bandwidth: Option<NonZeroU64>,
    /// How many nodes, genesis nodes excepted, are slow: they take 2 ms for every frame, one after another, and send a
    /// tenth of the bandwidth.
    pub slow: usize,
    /// How far each node's clock may be off, either way. The network tolerates two minutes between two nodes.
    pub clock_skew: Duration,
}

/// A part of a whole, in millionths: exact, so that it comes out the same everywhere. Written `0.02` or `2%`.
///
/// ```
/// use sealnet::sim::Share;
/// assert_eq!("0.02".parse(), Ok(Share::millionths(20_000)));
/// assert_eq!("2.5%".parse(), Ok(Share::millionths(25_000)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

/// A text is no part of a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no part of a whole; write 0.02 or 2%, from 0 to 1 and with at most six digits after the point")]
pub struct ShareError(String);

impl Share {
    /// `millionths` of a whole; more than all of it counts as all of it.
    pub const fn millionths(millionths: u32) -> Self {
        Share(if millionths > 1_000_000 { 1_000_000 } else { millionths })
    }

    /// In millionths.
    pub const fn as_millionths(self) -> u32 {
        self.0
    }

    /// Whether it is drawn this time. Draws nothing where the answer is certain.
    pub(super) fn is_drawn(self, rng: &mut ChaCha8Rng) -> bool {
        self.0 > 0 && rng.random_range(0..1_000_000) < self.0
    }
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let error = || ShareError(text.to_owned());
        let (number, places) = text.strip_suffix('%').map_or((text, 6), |number| (number, 4));
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(part) || whole.len() > 3 || part.len() > places {
            return Err(error());
        }
        let millionths = format!("{whole}{part:0<places$}").parse().map_err(|_| error())?;
        if millionths > 1_000_000 { Err(error()) } else { Ok(Share(millionths)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_exactly_and_nonsense_is_refused() {
        for (text, millionths) in
            [("0", 0), ("1", 1_000_000), ("0.000001", 1), ("0.02", 20_000), ("2%", 20_000), ("100%", 1_000_000)]
        {
            assert_eq!(text.parse(), Ok(Share(millionths)), "{text}");
        }
        for text in ["", ".5", "-1", "1.1", "101%", "0.0000001", "two", "1e-2", "%", "1 %", "1.5.5"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }
}
