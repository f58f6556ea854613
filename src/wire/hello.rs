//! HELLO: who a node is and what it can, the first frame each way.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use data_encoding::BASE64;
use serde_json::{Map, Value};

use super::fields::{self, FieldError, Fields};
use super::{Frame, Kind, Preamble};
use crate::envelope::{Timestamp, Title, parse_object};
use crate::identity::NodeId;

/// What a HELLO says (protocol, section 3). On the wire it is a JSON object of at most 4 KiB; fields this version does
/// not know are passed over.
///
/// ```
/// use sealnet::envelope::Timestamp;
/// use sealnet::wire::Hello;
/// let mut hello = Hello::new("sealnet 0.1.0", Timestamp::now());
/// hello.apps.insert("chat".parse()?, "1".to_owned());
/// assert_eq!(Hello::decode(&hello.encode()?)?, hello);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hello {
    /// Program and version, for people: at most 64 bytes of anything; escape it when it is shown.
    pub agent: String,
    /// The sender's clock.
    pub time: Timestamp,
    /// The highest version of the protocol that the sender speaks, 1 to 2^53 − 1.
    pub max_version: u64,
    /// The id the sender claims, in plain mode only: nothing proves it.
    pub node: Option<NodeId>,
    /// Where the sender says it listens: at most four, no port 0, no scopes.
    pub listen: Vec<SocketAddr>,
    /// The optional parts of the protocol that the sender has: at most 32 of `[a-z0-9.-]{1,32}`.
    pub features: Vec<String>,
    /// The sender's applications: at most 32 versions by title. A version is an opaque text of 1 to 64 bytes without
    /// control characters, because an application may put a hash of its rules into it; versions are compared, never
    /// ordered.
    pub apps: BTreeMap<Title, String>,
    /// The sender's certificate of membership, as bytes.
    pub certificate: Option<Bytes>,
    /// The epoch of the sender's revocation list, at most 2^53 − 1.
    pub epoch: Option<u64>,
    /// Whether this link takes the place of an older one between the same two.
    pub renew: bool,
}

/// Why bytes are no HELLO, or why a HELLO cannot be sent. Received, it is a breach of the grammar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HelloError {
    /// More than 4 KiB.
    #[error("the HELLO has {len} bytes, the most is {limit}; announce fewer applications and features", limit = Kind::Hello.limit())]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// Not one JSON object by the strict rules (no key twice, nesting at most 4).
    #[error("the HELLO is no strict JSON object: {why}")]
    Json {
        /// What is wrong, and where.
        why: String,
    },
    /// A field is missing or is not what it must be.
    #[error("the HELLO is wrong: {0}")]
    Field(#[from] FieldError),
}

impl Hello {
    /// How deep the JSON may nest, the object itself included.
    const MAX_DEPTH: usize = 4;

    /// The longest `agent`, in bytes.
    pub const MAX_AGENT: usize = 64;

    /// A HELLO of this version of the protocol with the three required fields only.
    pub fn new(agent: &str, time: Timestamp) -> Self {
        Hello {
            agent: agent.to_owned(),
            time,
            max_version: Preamble::VERSION.into(),
            node: None,
            listen: Vec::new(),
            features: Vec::new(),
            apps: BTreeMap::new(),
            certificate: None,
            epoch: None,
            renew: false,
        }
    }

    /// Whether the sender names `feature`.
    pub fn has_feature(&self, feature: &str) -> bool {
        self.features.iter().any(|named| named == feature)
    }

    /// Reads the body of a HELLO frame.
    ///
    /// # Errors
    /// A [`HelloError`] naming the first thing that is wrong.
    pub fn decode(body: &[u8]) -> Result<Self, HelloError> {
        check_body_len(body.len())?;
        let object =
            parse_object(body, Self::MAX_DEPTH).map_err(|error| HelloError::Json { why: error.to_string() })?;
        let fields = Fields(&object);
        let node = fields.text("node")?.map(str::parse).transpose();
        let hello = Hello {
            agent: fields::required("agent", fields.text("agent")?)?.to_owned(),
            time: fields::required("time", fields.integer("time")?.and_then(Timestamp::from_micros))?,
            max_version: fields::required("max_version", fields.integer("max_version")?)?,
            node: node.map_err(|_| FieldError { field: "node", why: "is no node id of 64 lower-case hex digits" })?,
            listen: fields.addresses("listen")?,
            features: fields.features("features")?,
            apps: fields.apps("apps")?,
            certificate: fields.base64("certificate")?,
            epoch: fields.integer("epoch")?,
            renew: fields.flag("renew")?,
        };
        hello.check()?;
        Ok(hello)
    }

    /// The body of a HELLO frame. Empty lists and absent fields are left out.
    ///
    /// # Errors
    /// If a field is outside its range, or the whole is longer than 4 KiB: no neighbour would accept it.
    pub fn encode(&self) -> Result<Bytes, HelloError> {
        self.check()?;
        let mut object = Map::new();
        let mut put = |field: &str, value: Option<Value>| {
            if let Some(value) = value {
                object.insert(field.to_owned(), value);
            }
        };
        let texts = |texts: Vec<String>| (!texts.is_empty()).then(|| Value::from(texts));
        put("agent", Some(self.agent.as_str().into()));
        put("max_version", Some(self.max_version.into()));
        put("time", Some(self.time.as_micros().into()));
        put("node", self.node.map(|node| node.to_string().into()));
        put("listen", texts(self.listen.iter().map(SocketAddr::to_string).collect()));
        put("features", texts(self.features.clone()));
        let app = |(title, version): (&Title, &String)| (title.as_str().to_owned(), version.as_str().into());
        put("apps", (!self.apps.is_empty()).then(|| Value::Object(self.apps.iter().map(app).collect())));
        put("certificate", self.certificate.as_ref().map(|bytes| BASE64.encode(bytes).into()));
        put("epoch", self.epoch.map(Value::from));
        put("renew", self.renew.then(|| true.into()));
        let body = Value::Object(object).to_string();
        check_body_len(body.len())?;
        Ok(body.into())
    }

    /// The HELLO as a frame.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn to_frame(&self) -> Result<Frame, HelloError> {
        self.encode().map(Frame::Hello)
    }

    /// What sender and receiver both hold a HELLO against.
    fn check(&self) -> Result<(), FieldError> {
        fields::check_len("agent", &self.agent, Self::MAX_AGENT, "is longer than 64 bytes")?;
        fields::check_integer("max_version", self.max_version)?;
        if self.max_version == 0 {
            return Err(FieldError { field: "max_version", why: "is 0; versions begin at 1" });
        }
        fields::check_addresses("listen", &self.listen)?;
        fields::check_features("features", &self.features)?;
        fields::check_apps("apps", &self.apps)?;
        self.epoch.map_or(Ok(()), |epoch| fields::check_integer("epoch", epoch))
    }
}

fn check_body_len(len: usize) -> Result<(), HelloError> {
    if len > Kind::Hello.limit() { Err(HelloError::TooLong { len }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use proptest::{bool, option};

    const LEAST: &str = r#""agent":"a","time":1,"max_version":1"#;

    /// A HELLO with the required fields and these.
    fn with(more: &str) -> Result<Hello, HelloError> {
        Hello::decode(format!("{{{LEAST},{more}}}").as_bytes())
    }

    fn wrong_field(hello: Result<Hello, HelloError>) -> &'static str {
        match hello {
            Err(HelloError::Field(error)) => error.field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_hello_is_written_and_read_as_the_protocol_page_says() {
        let node: NodeId = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29".parse().unwrap();
        let mut hello = Hello::new("sealnet 0.1.0", Timestamp::from_micros(1_700_000_000_000_000).unwrap());
        assert_eq!(hello.encode().unwrap(), r#"{"agent":"sealnet 0.1.0","max_version":1,"time":1700000000000000}"#);
        hello.node = Some(node);
        hello.listen = vec!["127.0.0.1:7400".parse().unwrap(), "[2001:db8::1]:7400".parse().unwrap()];
        hello.features = vec!["x.y-1".to_owned()];
        hello.apps = [("chat".parse().unwrap(), "1".to_owned())].into();
        hello.certificate = Some(Bytes::from_static(b"\xFF\xFEc"));
        hello.epoch = Some(7);
        hello.renew = true;
        let text = String::from_utf8(hello.encode().unwrap().to_vec()).unwrap();
        for part in [
            format!(r#""node":"{node}""#),
            r#""listen":["127.0.0.1:7400","[2001:db8::1]:7400"]"#.to_owned(),
            r#""features":["x.y-1"]"#.to_owned(),
            r#""apps":{"chat":"1"}"#.to_owned(),
            r#""certificate":"//5j""#.to_owned(),
            r#""epoch":7"#.to_owned(),
            r#""renew":true"#.to_owned(),
        ] {
            assert!(text.contains(&part), "{part} in {text}");
        }
        assert_eq!(Hello::decode(text.as_bytes()), Ok(hello.clone()));
        assert!(hello.has_feature("x.y-1") && !hello.has_feature("x.y"));
        assert_eq!(hello.to_frame().unwrap(), Frame::Hello(text.into()));
    }

    #[test]
    fn the_three_required_fields_are_required() {
        for field in ["agent", "time", "max_version"] {
            let renamed = format!("{{{LEAST}}}").replace(field, "other");
            assert_eq!(Hello::decode(renamed.as_bytes()), Err(FieldError { field, why: "is missing" }.into()));
        }
    }

    #[test]
    fn unknown_fields_are_passed_over_and_known_ones_stand_once() {
        let error = with(r#""new":{"a":[{"b":[]}]},"x":null"#).unwrap_err();
        assert!(error.to_string().contains("deeper than 4"), "object, new, a, its element and b are 5: {error}");
        assert!(with(r#""new":{"a":[{"b":1.5e3}]},"x":null"#).is_ok());
        for twice in [r#""time":1"#, r#""tim\u0065":1"#, r#""apps":{"a":"1","\u0061":"1"}"#, r#""n":[{"a":1,"a":1}]"#] {
            assert!(matches!(with(twice), Err(HelloError::Json { why }) if why.contains("twice")), "{twice}");
        }
    }

    #[test]
    fn only_a_short_object_is_a_hello() {
        for body in ["", "[]", "null", "7", r#"[{"agent":"a"}]"#, "{", &format!("{{{LEAST}}} {{}}")] {
            assert!(matches!(Hello::decode(body.as_bytes()), Err(HelloError::Json { .. })), "{body}");
        }
        let filled = |len: usize| {
            let frame = format!("{{{LEAST},\"x\":\"\"}}").len();
            with(&format!("\"x\":\"{}\"", "y".repeat(len - frame)))
        };
        assert!(filled(4_096).is_ok());
        assert_eq!(filled(4_097), Err(HelloError::TooLong { len: 4_097 }));
    }

    #[test]
    fn times_and_epochs_are_exact_integers() {
        assert_eq!(with(r#""epoch":9007199254740991"#).unwrap().epoch, Some((1 << 53) - 1));
        for number in ["1.0", "1e3", "-1", "-0", "\"1\"", "null", "9007199254740992", "18446744073709551616", "[1]"] {
            assert_eq!(wrong_field(with(&format!("\"epoch\":{number}"))), "epoch", "{number}");
            for field in ["time", "max_version"] {
                let body = format!("{{{LEAST}}}").replace(&format!("\"{field}\":1"), &format!("\"{field}\":{number}"));
                assert_eq!(wrong_field(Hello::decode(body.as_bytes())), field, "{number}");
            }
        }
        let body = format!("{{{LEAST}}}").replace("\"max_version\":1", "\"max_version\":0");
        assert_eq!(wrong_field(Hello::decode(body.as_bytes())), "max_version");
    }

    #[test]
    fn a_field_out_of_its_range_is_refused_by_name() {
        let long = |len: usize| "x".repeat(len);
        let many = |n: usize, item: &str| vec![item; n].join(",");
        let apps = |n: usize| (0..n).map(|n| format!("\"t{n}\":\"1\"")).collect::<Vec<_>>().join(",");
        for (good, bad) in [
            (format!("\"node\":\"{}\"", "ab".repeat(32)), format!("\"node\":\"{}\"", "AB".repeat(32))),
            (format!("\"listen\":[{}]", many(4, "\"[::1]:1\"")), format!("\"listen\":[{}]", many(5, "\"[::1]:1\""))),
            (r#""listen":["1.2.3.4:65535"]"#.into(), r#""listen":["1.2.3.4:0"]"#.into()),
            (r#""listen":[]"#.into(), r#""listen":["localhost:80"]"#.into()),
            (r#""listen":["[fe80::1]:80"]"#.into(), r#""listen":["[fe80::1%2]:80"]"#.into()),
            (r#""listen":["[fe80::1]:80"]"#.into(), r#""listen":["[fe80::1%0]:80"]"#.into()),
            (r#""listen":["1.2.3.4:80"]"#.into(), r#""listen":["1.2.3.4:080"]"#.into()),
            (r#""listen":["[::1]:80"]"#.into(), r#""listen":"[::1]:80""#.into()),
            (format!("\"features\":[{}]", many(32, "\"a\"")), format!("\"features\":[{}]", many(33, "\"a\""))),
            (format!("\"features\":[\"{}\"]", long(32)), format!("\"features\":[\"{}\"]", long(33))),
            (r#""features":["a.b-9"]"#.into(), r#""features":["a_b"]"#.into()),
            (r#""features":["x"]"#.into(), r#""features":[""]"#.into()),
            (r#""features":["y"]"#.into(), r#""features":["y",1]"#.into()),
            (format!("\"apps\":{{{}}}", apps(32)), format!("\"apps\":{{{}}}", apps(33))),
            (format!("\"apps\":{{\"{}\":\"1\"}}", long(200)), format!("\"apps\":{{\"{}\":\"1\"}}", long(201))),
            (format!("\"apps\":{{\"t\":\"{}\"}}", long(64)), format!("\"apps\":{{\"t\":\"{}\"}}", long(65))),
            (r#""apps":{"":"1"}"#.into(), r#""apps":{"t":""}"#.into()),
            (r#""apps":{"é\u00a0":"1"}"#.into(), r#""apps":{"\u0085":"1"}"#.into()),
            (r#""apps":{"t":"é"}"#.into(), r#""apps":{"t":"\u007f"}"#.into()),
            (r#""apps":{}"#.into(), r#""apps":[]"#.into()),
            (r#""apps":{"t":"1"}"#.into(), r#""apps":{"t":1}"#.into()),
            (r#""certificate":"AA==""#.into(), r#""certificate":"AA""#.into()),
            (r#""certificate":"""#.into(), r#""certificate":"AB==""#.into()),
            (r#""certificate":"/+Aa""#.into(), r#""certificate":"_-Aa""#.into()),
            (r#""renew":false"#.into(), r#""renew":0"#.into()),
            (r#""renew":true"#.into(), r#""renew":null"#.into()),
        ] {
            with(&good).unwrap_or_else(|error| panic!("{good}: {error}"));
            let field = wrong_field(with(&bad));
            assert!(bad.starts_with(&format!("\"{field}\"")), "{bad}: {field}");
        }
        let agent = |len: usize| {
            Hello::decode(format!("{{{LEAST}}}").replace("\"a\"", &format!("\"{}\"", long(len))).as_bytes())
        };
        assert!(agent(64).is_ok());
        assert_eq!(wrong_field(agent(65)), "agent");
    }

    #[test]
    fn a_hello_no_neighbour_would_accept_is_not_sent() {
        let hello = Hello::new("a", Timestamp::MAX);
        let changes: [fn(&mut Hello); 6] = [
            |hello| hello.agent = "x".repeat(65),
            |hello| hello.max_version = 0,
            |hello| hello.epoch = Some(1 << 53),
            |hello| hello.features = vec!["A".to_owned()],
            |hello| hello.listen = vec!["1.2.3.4:0".parse().unwrap()],
            |hello| hello.apps = [("t".parse().unwrap(), String::new())].into(),
        ];
        for change in changes {
            let mut hello = hello.clone();
            change(&mut hello);
            assert!(matches!(hello.encode(), Err(HelloError::Field(_))), "{hello:?}");
        }
        let app = |n: usize| (format!("{n:0200}").parse().unwrap(), "1".to_owned());
        let hello = Hello { apps: (0..32).map(app).collect(), ..hello };
        assert!(matches!(hello.encode(), Err(HelloError::TooLong { .. })));
    }

    fn hello() -> impl Strategy<Value = Hello> {
        let address = prop_oneof![
            any::<std::net::Ipv4Addr>().prop_map(Into::into),
            any::<std::net::Ipv6Addr>().prop_map(Into::into)
        ];
        let address = (address, 1..=u16::MAX).prop_map(|(ip, port): (std::net::IpAddr, u16)| SocketAddr::new(ip, port));
        let integer = || 0..1_u64 << 53;
        (
            (".{0,16}", integer(), 1..1_u64 << 53, option::of(any::<[u8; 32]>())),
            (vec(address, 0..=4), vec("[a-z0-9.-]{1,20}", 0..=32)),
            btree_map("[^\u{0}-\u{1f}\u{7f}-\u{9f}]{0,20}", "[a-z\"\\\\é]{1,20}", 0..=20),
            (option::of(vec(any::<u8>(), 0..200)), option::of(integer()), bool::ANY),
        )
            .prop_map(
                |((agent, time, max_version, node), (listen, features), apps, (certificate, epoch, renew))| Hello {
                    agent,
                    time: Timestamp::from_micros(time).unwrap(),
                    max_version,
                    node: node.map(NodeId::from_bytes),
                    listen,
                    features,
                    apps: apps.into_iter().map(|(title, version)| (title.parse().unwrap(), version)).collect(),
                    certificate: certificate.map(Bytes::from),
                    epoch,
                    renew,
                },
            )
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(hello in hello()) {
            match hello.encode() {
                Ok(body) => prop_assert_eq!(Hello::decode(&body), Ok(hello)),
                Err(error) => prop_assert!(matches!(error, HelloError::TooLong { .. }), "{}", error),
            }
        }

        #[test]
        fn hostile_bodies_never_panic(hello in hello(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            if let Ok(body) = hello.encode() {
                let mut body = body.to_vec();
                let at = at.index(body.len());
                body[at] = byte;
                if let Ok(read) = Hello::decode(&body) {
                    // What is accepted from a stranger is fit to be said again.
                    prop_assert_eq!(Hello::decode(&read.encode().unwrap()), Ok(read));
                }
            }
        }
    }
}
