//! Kinds of addresses: ranges that one party can hold as a whole, and addresses that mean something everywhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The addresses one party usually gets together: a /24 of IPv4, a /48 of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Range(IpAddr);

impl Range {
    pub(super) fn of(address: &SocketAddr) -> Self {
        Range(match address.ip().to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                IpAddr::V4(Ipv4Addr::new(a, b, c, 0))
            }
            IpAddr::V6(ip) => {
                let [a, b, c, ..] = ip.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
            }
        })
    }
}

/// Whether nodes may count how often an address stands for something: on loopback all nodes share one.
pub(super) fn is_countable(address: &SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}

/// Whether an address can be dialled at all.
pub(super) fn is_dialable(address: &SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    let is_broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !is_broadcast
}

/// Whether an address leads to the same place wherever it is dialled from (RFC 6890, as far as it matters to nodes).
pub(crate) fn is_public(address: &SocketAddr) -> bool {
    is_dialable(address)
        && match address.ip().to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, ..] = ip.octets();
                let is_shared = a == 100 && b & 0xC0 == 64;
                !(ip.is_loopback() || ip.is_private() || ip.is_link_local() || is_shared || a == 0)
            }
            IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_that_mean_another_place_to_everybody_are_not_public() {
        for public in ["8.8.8.8:1", "100.128.0.1:1", "172.32.0.1:1", "[2001:db8::1]:1", "[::ffff:8.8.8.8]:1"] {
            assert!(is_public(&at(public)), "{public}");
        }
        let private = [
            "127.0.0.1:1",
            "10.0.0.1:1",
            "172.16.0.1:1",
            "192.168.1.1:1",
            "169.254.0.1:1",
            "100.64.0.1:1",
            "0.0.0.0:1",
            "0.1.2.3:1",
            "224.0.0.1:1",
            "255.255.255.255:1",
            "8.8.8.8:0",
            "[::1]:1",
            "[::]:1",
            "[fe80::1]:1",
            "[fd00::1]:1",
            "[ff02::1]:1",
            "[::ffff:127.0.0.1]:1",
            "[::ffff:10.0.0.1]:1",
        ];
        for private in private {
            assert!(!is_public(&at(private)), "{private}");
        }
        for never in ["0.0.0.0:1", "224.0.0.1:1", "255.255.255.255:1", "10.0.0.1:0", "[::]:1", "[ff02::1]:1"] {
            assert!(!is_dialable(&at(never)), "{never}");
        }
    }

    #[test]
    fn one_partys_addresses_are_one_range() {
        assert_eq!(Range::of(&at("8.8.8.8:1")), Range::of(&at("[::ffff:8.8.8.200]:2")));
        assert_ne!(Range::of(&at("8.8.8.8:1")), Range::of(&at("8.8.9.8:1")));
        assert_eq!(Range::of(&at("[2001:db8:7:1::1]:1")), Range::of(&at("[2001:db8:7:ffff::2]:2")));
        assert_ne!(Range::of(&at("[2001:db8:7::1]:1")), Range::of(&at("[2001:db8:8::1]:1")));
        assert!(!is_countable(&at("127.0.0.3:1")) && !is_countable(&at("[::1]:1")) && is_countable(&at("10.0.0.1:1")));
    }
}
