//! Lower-case hex, the only spelling of ids that Sealnet reads or writes.

use data_encoding::HEXLOWER;

/// `bytes` as lower-case hex.
pub(crate) fn encode_hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Exactly `2 × N` lower-case hex digits as `N` bytes; `None` for anything else.
pub(crate) fn decode_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}
