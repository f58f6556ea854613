//! Sizes in classes, so that they tell little: powers of two from 256 B to 64 KiB, then multiples of 8 KiB.

use zeroize::Zeroizing;

const SMALLEST: usize = 256;
const LAST_POWER: usize = 64 << 10;
const STEP: usize = 8 << 10;
/// The length before the data.
const LENGTH: usize = 4;

/// How long `length ‖ data` is with its padding, for so much data.
pub(super) fn padded_len(data: usize) -> usize {
    let len = data.saturating_add(LENGTH).max(SMALLEST);
    if len <= LAST_POWER { len.next_power_of_two() } else { len.div_ceil(STEP).saturating_mul(STEP) }
}

/// Whether something padded may be this long.
pub(super) fn is_padded_len(len: usize) -> bool {
    len >= SMALLEST && padded_len(len - LENGTH) == len
}

/// `length ‖ data ‖ zeros`, with room for what the cipher adds.
pub(super) fn pad(data: &[u8], room: usize) -> Option<Zeroizing<Vec<u8>>> {
    let padded = padded_len(data.len());
    let mut bytes = Zeroizing::new(Vec::with_capacity(padded + room));
    bytes.extend_from_slice(&u32::try_from(data.len()).ok()?.to_be_bytes());
    bytes.extend_from_slice(data);
    bytes.resize(padded, 0);
    Some(bytes)
}

/// The data in what was padded; `None` if it was not padded in exactly this way.
pub(super) fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let (length, rest) = padded.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (data, zeros) = rest.split_at_checked(length)?;
    (padded_len(length) == padded.len() && zeros.iter().all(|byte| *byte == 0)).then_some(data)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_classes_are_those_of_the_page() {
        for (data, padded) in [
            (0, 256),
            (252, 256),
            (253, 512),
            (508, 512),
            (65_532, 65_536),
            (65_533, 73_728),
            (73_724, 73_728),
            (73_725, 81_920),
            (122_876, 122_880),
        ] {
            assert_eq!(padded_len(data), padded, "{data}");
        }
        for len in [0, 4, 255, 257, 384, 66_000, 65_536 + 4096] {
            assert!(!is_padded_len(len), "{len}");
        }
        assert_eq!((256..=131_072).filter(|len| is_padded_len(*len)).count(), 9 + 8);
    }

    #[test]
    fn every_other_padding_is_refused() {
        let good = pad(b"hello", 0).unwrap();
        assert_eq!(unpad(&good), Some(&b"hello"[..]));
        for at in 9..good.len() {
            let mut bad = good.clone();
            bad[at] = 1;
            assert_eq!(unpad(&bad), None, "a byte that is not zero at {at}");
        }
        // Longer than its class, shorter than its class, a length beyond the end or that reaches into the zeros.
        let mut longer = good.to_vec();
        longer.resize(512, 0);
        let mut beyond = good.to_vec();
        beyond[..4].copy_from_slice(&253_u32.to_be_bytes());
        let mut most = good.to_vec();
        most[..4].copy_from_slice(&u32::MAX.to_be_bytes());
        for bad in [&longer[..], &good[..255], &good[..3], &[], &beyond, &most] {
            assert_eq!(unpad(bad), None);
        }
        let mut shorter = good.to_vec();
        shorter[3] = 4;
        assert_eq!(unpad(&shorter), None, "the last letter stands where a zero should");
    }

    proptest! {
        #[test]
        fn what_is_padded_comes_back(data in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let padded = pad(&data, 16).unwrap();
            prop_assert!(is_padded_len(padded.len()));
            prop_assert_eq!(unpad(&padded), Some(&data[..]));
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = unpad(&bytes);
        }
    }
}
