//! Where a node is, and who must be there.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::{NodeId, NodeIdError};

/// Where a node can be reached and which key must answer there: `sealnet://<64 hex>@host:port`.
///
/// The key may be missing (`sealnet://host:port`); configuration allows that only where first use is trusted. The host
/// is a name, an IPv4 address or an IPv6 address in brackets.
///
/// ```
/// use sealnet::identity::NodeAddress;
/// let text = "sealnet://3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29@[::1]:7400";
/// let address: NodeAddress = text.parse()?;
/// assert_eq!((address.host(), address.port()), ("::1", 7400));
/// assert_eq!(address.to_string(), text);
/// # Ok::<(), sealnet::identity::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeAddress {
    id: Option<NodeId>,
    host: String,
    port: u16,
}

/// Why a text is no address of a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It does not begin with `sealnet://`.
    #[error("\"{}\" does not begin with sealnet://; a full address is sealnet://<64 hex digits>@host:port", .0.escape_debug())]
    Scheme(String),
    /// What stands before the `@` is no node id.
    #[error(transparent)]
    Id(#[from] NodeIdError),
    /// What stands after it is no host and port.
    #[error("\"{}\" is no host and port; write host:port, an IPv6 address in brackets, the port from 1 to 65535", .0.escape_debug())]
    HostPort(String),
}

impl NodeAddress {
    /// The address `host:port`, where `id` must answer if it is given. `host_port` is written as in the full form.
    ///
    /// # Errors
    /// If `host_port` is no host and port.
    pub fn new(id: Option<NodeId>, host_port: &str) -> Result<Self, AddressError> {
        let error = || AddressError::HostPort(host_port.chars().take(300).collect());
        let (host, port) = host_port.rsplit_once(':').ok_or_else(error)?;
        // A number has one spelling: without this, `+80` and `080` would be ports too.
        let digits = port.starts_with(|first: char| matches!(first, '1'..='9'));
        let port: u16 = port.parse().ok().filter(|_| digits).ok_or_else(error)?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            // Kept in its canonical spelling, so that equal addresses are equal values.
            Some(v6) => v6.parse::<std::net::Ipv6Addr>().map_err(|_| error())?.to_string(),
            None if is_name(host) => host.to_owned(),
            None => return Err(error()),
        };
        Ok(NodeAddress { id, host, port })
    }

    /// The same place, where anybody may answer.
    #[must_use]
    pub fn without_id(&self) -> Self {
        NodeAddress { id: None, ..self.clone() }
    }

    /// The key that must answer, if it is known.
    pub fn id(&self) -> Option<NodeId> {
        self.id
    }

    /// The host: a name or an IP address, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port, 1 to 65,535.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Whether `host` may be a name or an IPv4 address.
fn is_name(host: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    (1..=253).contains(&host.len()) && host.bytes().all(good)
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sealnet://")?;
        if let Some(id) = self.id {
            write!(f, "{id}@")?;
        }
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V6(v6)) => write!(f, "[{v6}]:{}", self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl FromStr for NodeAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let rest =
            text.strip_prefix("sealnet://").ok_or_else(|| AddressError::Scheme(text.chars().take(300).collect()))?;
        match rest.split_once('@') {
            Some((id, host_port)) => NodeAddress::new(Some(id.parse()?), host_port),
            None => NodeAddress::new(None, rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        let id = "0123456789abcdef".repeat(4);
        for host_port in ["127.0.0.1:7400", "node-1.example.org:1", "[2001:db8::1]:65535", "localhost:80"] {
            for text in [format!("sealnet://{id}@{host_port}"), format!("sealnet://{host_port}")] {
                assert_eq!(text.parse::<NodeAddress>().unwrap().to_string(), text);
            }
        }
    }

    #[test]
    fn an_address_has_one_spelling_and_equal_ones_are_equal() {
        let parse = |text: &str| text.parse::<NodeAddress>().unwrap();
        let address = parse("sealnet://[2001:DB8:0:0:0:0:0:1]:7400");
        assert_eq!(address, parse("sealnet://[2001:db8::1]:7400"));
        assert_eq!((address.host(), parse(&address.to_string())), ("2001:db8::1", address.clone()));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let id = "0123456789abcdef".repeat(4);
        for rest in
            ["", "host", "host:", "host:0", "host:65536", ":1", "::1:70", "[::1:70", "[host]:1", "a b:1", "a@b:1"]
                .into_iter()
                .chain(["host:+1", "host:01", "host:-1", "host:1 ", "[fe80::1%2]:1"])
        {
            assert!(format!("sealnet://{id}@{rest}").parse::<NodeAddress>().is_err(), "{rest}");
        }
        assert!("127.0.0.1:7400".parse::<NodeAddress>().is_err());
        assert!("sealnet://abc@127.0.0.1:7400".parse::<NodeAddress>().is_err());
    }
}
