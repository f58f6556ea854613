//! What a member says about itself (protocol, section 5).

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::envelope::{Envelope, Title, Verified, parse_object};
use crate::identity::{NodeId, decode_hex, encode_hex};
use crate::wire::FieldError;
use crate::wire::fields::{Fields, MAX_ADDRESSES};

use super::MemberRecord;

/// The title of a presence.
pub const PRESENCE_TITLE: &str = "sealnet/presence";
/// The title of a leave: the end of a presence.
pub const LEAVE_TITLE: &str = "sealnet/leave";
/// The title of what others need to know about a member that is away.
pub const MEMBER_TITLE: &str = "sealnet/member";

/// Whether an envelope with this title takes its sender's one place for such, where a later one replaces it.
pub(super) fn fills_slot(title: &str) -> bool {
    matches!(title, PRESENCE_TITLE | LEAVE_TITLE | MEMBER_TITLE)
}

/// The largest presence, in bytes.
const MAX_PRESENCE: usize = 4096;
const MAX_LINKS: usize = 40;

/// Enough of a node id to name a link: 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkName([u8; 8]);

impl From<&NodeId> for LinkName {
    fn from(id: &NodeId) -> Self {
        let mut name = [0; 8];
        name.copy_from_slice(&id.as_bytes()[..8]);
        LinkName(name)
    }
}

impl fmt::Display for LinkName {
    /// As 16 lower-case hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&encode_hex(&self.0))
    }
}

/// A member's announcement of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Where it says it listens; at most 4. Whether that is true shows when somebody dials.
    pub addresses: Vec<SocketAddr>,
    /// Whom it is linked with; at most 40. `None` if it does not say.
    pub links: Option<Vec<LinkName>>,
    /// What its program can do beyond the first version.
    pub features: Vec<String>,
    /// Its applications and their versions.
    pub apps: BTreeMap<String, String>,
    /// The epoch of the revocations it holds.
    pub epoch: u64,
    /// How often it announces itself.
    pub period: Duration,
}

/// The content of a presence cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the presence cannot be read: {0}")]
pub struct PresenceError(String);

#[derive(Serialize)]
struct Body<'a> {
    addresses: &'a [SocketAddr],
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<Vec<String>>,
    features: &'a [String],
    apps: &'a BTreeMap<String, String>,
    epoch: u64,
    period: u64,
}

impl Presence {
    /// The message of a presence envelope.
    pub fn encode(&self) -> Vec<u8> {
        let links = self.links.as_ref();
        let body = Body {
            addresses: &self.addresses[..self.addresses.len().min(MAX_ADDRESSES)],
            links: links.map(|links| links.iter().take(MAX_LINKS).map(ToString::to_string).collect()),
            features: &self.features,
            apps: &self.apps,
            epoch: self.epoch,
            period: self.period.as_secs(),
        };
        // Strings, numbers and string keys always serialize.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// Reads the message of a presence envelope. What is missing is empty or 0; `features`, `apps` and addresses follow
    /// the rules of HELLO.
    ///
    /// # Errors
    /// If it is over 4 KiB, no strict JSON object, or a field has another type, too many parts or a part that breaks its
    /// rule.
    pub fn decode(message: &[u8]) -> Result<Self, PresenceError> {
        if message.len() > MAX_PRESENCE {
            return Err(PresenceError(format!("{} bytes are more than {MAX_PRESENCE}", message.len())));
        }
        let object = parse_object(message, 4).map_err(|error| PresenceError(error.to_string()))?;
        let fields = Fields(&object);
        let apps = fields.apps("apps")?.into_iter().map(|(title, version)| (title.to_string(), version));
        Ok(Presence {
            addresses: fields.addresses("addresses")?,
            links: links(fields)?,
            features: fields.features("features")?,
            apps: apps.collect(),
            epoch: fields.integer("epoch")?.unwrap_or(0),
            period: Duration::from_secs(fields.integer("period")?.unwrap_or(0)),
        })
    }
}

impl From<FieldError> for PresenceError {
    fn from(error: FieldError) -> Self {
        PresenceError(error.to_string())
    }
}

fn links(fields: Fields<'_>) -> Result<Option<Vec<LinkName>>, FieldError> {
    let why = "is no list of at most 40 texts of 16 lower-case hex digits";
    let links = fields.list("links", why, |value| decode_hex(value.as_str()?).map(LinkName))?;
    if links.len() > MAX_LINKS {
        return Err(FieldError { field: "links", why });
    }
    Ok(fields.has("links").then_some(links))
}

/// What a verified envelope is to the core. Read before the core is asked, so that nothing is decoded under its lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// For the applications.
    Application,
    /// A member announces itself.
    Presence(Arc<Presence>),
    /// A member leaves.
    Leave,
    /// What others need of a member also while it is away.
    Member(Box<MemberRecord>),
    /// A title of the protocol that this version does nothing with: kept and relayed.
    OtherProtocol,
    /// A title of the protocol whose content cannot be read.
    Unreadable,
}

impl Content {
    /// Reads what the core needs of an envelope.
    pub fn of(envelope: &Verified<Envelope>) -> Self {
        match envelope.title() {
            PRESENCE_TITLE => match Presence::decode(&envelope.message()) {
                Ok(presence) => Content::Presence(Arc::new(presence)),
                Err(_) => Content::Unreadable,
            },
            MEMBER_TITLE => match MemberRecord::decode(&envelope.message()) {
                Ok(record) => Content::Member(Box::new(record)),
                Err(_) => Content::Unreadable,
            },
            LEAVE_TITLE if envelope.message().is_empty() => Content::Leave,
            LEAVE_TITLE => Content::Unreadable,
            title if title.starts_with(Title::PROTOCOL_PREFIX) => Content::OtherProtocol,
            _ => Content::Application,
        }
    }

    /// Whether it goes to the log. Presences, leaves and records live in the tables of members instead.
    pub fn is_logged(&self) -> bool {
        matches!(self, Content::Application | Content::OtherProtocol)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn full() -> Presence {
        Presence {
            addresses: vec!["127.0.0.1:7400".parse().unwrap(), "[2001:db8::1]:1".parse().unwrap()],
            links: Some(vec![LinkName([1; 8]), LinkName([0xAB; 8])]),
            features: vec!["requests".into()],
            apps: BTreeMap::from([("chat".into(), "1".into())]),
            epoch: 7,
            period: Duration::from_secs(200),
        }
    }

    #[test]
    fn a_presence_is_read_as_it_was_written() {
        for presence in [full(), Presence { links: None, ..full() }, Presence::default()] {
            assert_eq!(Presence::decode(&presence.encode()), Ok(presence));
        }
    }

    #[test]
    fn too_many_parts_wrong_types_and_repeated_keys_are_refused() {
        let good = String::from_utf8(full().encode()).unwrap();
        let many = format!("[{}]", ["\"1.2.3.4:5\""; 5].join(","));
        for (from, to) in [
            (r#"["127.0.0.1:7400","[2001:db8::1]:1"]"#, many.as_str()),
            (r#""epoch":7"#, r#""epoch":7.0"#),
            (r#""epoch":7"#, r#""epoch":-7"#),
            (r#""epoch":7"#, r#""epoch":7,"epoch":7"#),
            (r#""epoch":7"#, r#""epoch":null"#),
            (r#""epoch":7"#, r#""epoch":9007199254740992"#),
            (r#"127.0.0.1:7400"#, "localhost:7400"),
            (r#"0101010101010101"#, "01"),
            (r#"{"chat":"1"}"#, r#"{"chat":"\u0007"}"#),
            (r#"["requests"]"#, r#"["Requests"]"#),
        ] {
            assert!(good.contains(from), "{from}");
            assert!(Presence::decode(good.replace(from, to).as_bytes()).is_err(), "{to}");
        }
        assert!(Presence::decode(&vec![b' '; MAX_PRESENCE + 1]).is_err());
    }

    #[test]
    fn what_is_missing_is_empty_or_0() {
        assert_eq!(Presence::decode(b"{}"), Ok(Presence::default()));
        let whole: serde_json::Map<_, _> = serde_json::from_slice(&full().encode()).unwrap();
        for field in whole.keys() {
            let mut object = whole.clone();
            object.remove(field);
            assert!(Presence::decode(&serde_json::to_vec(&object).unwrap()).is_ok(), "{field}");
        }
    }

    #[test]
    fn applications_are_named_by_any_title_as_in_hello() {
        let presence = Presence::decode(br#"{"apps":{"":"1","sealnet/x":"2"}}"#).unwrap();
        assert_eq!(presence.apps.len(), 2);
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Presence::decode(&bytes);
        }
    }
}
