//! `sealnet tail`: what is said in the network, as a running node gets it.

use clap::Args;
use serde_json::{Map, Value};

use super::super::Failure;
use super::super::message;
use super::super::output::Out;
use super::publish::parse_title;
use super::{Which, quoted};
use crate::control::{Client, EventStream, Messages, Status};
use crate::envelope::{Envelope, Version};
use crate::identity::{NetworkHash, NetworkName, NodeId};
use crate::log::Cursor;

/// Show the messages a running node gets, as they come.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Tail {
    #[command(flatten)]
    which: Which,

    /// Only those with this title
    #[arg(value_parser = parse_title)]
    title: Option<String>,

    /// Begin after this place in the node's log, which --cursors shows; start is the oldest message that is kept
    #[arg(long, value_name = "CURSOR", value_parser = parse_from)]
    from: Option<String>,

    /// Begin with the newest so many; 0 is only what comes from now on
    #[arg(long, value_name = "NUMBER", default_value_t = 10, conflicts_with = "from",
          value_parser = clap::value_parser!(u16).range(0..=1000))]
    last: u16,

    /// End after so many
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// End with what there is now instead of waiting for more
    #[arg(long)]
    no_follow: bool,

    /// Show before each message the place after it, to go on from with --from
    #[arg(long, conflicts_with = "json")]
    cursors: bool,

    /// Print each message as one JSON object on a line, as `sealnet verify` reads it
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sealnet tail --config config/genesis.toml
  sealnet tail --config config/genesis.toml chat --last 100 --no-follow
  sealnet tail --config config/genesis.toml --from start --cursors
  sealnet tail --config a.toml --json | sealnet verify - --network demo

Each message comes once, in the order in which the node got it; one that repair
brought late comes late. With a log on disk a place holds over restarts.";

fn parse_from(text: &str) -> Result<String, String> {
    match text {
        "start" => Ok(text.to_owned()),
        _ => text.parse::<Cursor>().map(|cursor| cursor.to_string()).map_err(|error| error.to_string()),
    }
}

impl Tail {
    pub(in crate::cli) fn run(self, out: &mut Out) -> Result<(), Failure> {
        self.which.ask(async |client| {
            let status: Status = client.get("/v1/status").await?;
            let reader = Reader::of(&status)?;
            let mut left = self.count.unwrap_or(u64::MAX);
            let mut from = self.from.clone();
            if from.is_none() && self.last > 0 {
                let page: Messages = client.get(&self.path("/v1/messages", &format!("last={}", self.last))).await?;
                for message in page.messages.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
                    self.show(&reader, message, out)?;
                    left -= 1;
                }
                from = Some(page.next);
            }
            if self.no_follow {
                return if self.from.is_some() { self.kept(&client, &reader, from, left, out).await } else { Ok(()) };
            }
            let after = from.map_or(String::new(), |from| format!("after={from}"));
            let mut stream = client.stream(&self.path("/v1/subscribe", &after)).await?;
            while left > 0 {
                if !self.next(&reader, &mut stream, out).await? {
                    continue;
                }
                left -= 1;
            }
            Ok(())
        })
    }

    fn path(&self, route: &str, more: &str) -> String {
        let title = self.title.as_ref().map(|title| format!("title={}", quoted(title)));
        let words: Vec<String> = title.into_iter().chain((!more.is_empty()).then(|| more.to_owned())).collect();
        if words.is_empty() { route.to_owned() } else { format!("{route}?{}", words.join("&")) }
    }

    /// Shows what is kept, and no more.
    async fn kept(
        &self,
        client: &Client,
        reader: &Reader,
        mut from: Option<String>,
        mut left: u64,
        out: &mut Out,
    ) -> Result<(), Failure> {
        from = from.filter(|from| from != "start");
        while left > 0 {
            let after = from.as_ref().map_or(String::new(), |from| format!("after={from}"));
            let page: Messages = client.get(&self.path("/v1/messages", &after)).await?;
            for message in page.messages.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
                self.show(reader, message, out)?;
                left -= 1;
            }
            if from.as_ref() == Some(&page.next) {
                return Ok(());
            }
            from = Some(page.next);
        }
        Ok(())
    }

    /// Shows what comes next; says whether it was a message.
    async fn next(&self, reader: &Reader, stream: &mut EventStream, out: &mut Out) -> Result<bool, Failure> {
        let Some(event) = stream.next().await? else {
            return Err(Failure::said(
                "the node has stopped; start it again, and with a log on disk --from CURSOR goes on where this ended",
            ));
        };
        let data: Map<String, Value> = serde_json::from_str(&event.data)?;
        if event.event == "message" {
            self.show(reader, data, out)?;
            return Ok(true);
        }
        if event.event == "missed" && !self.json {
            let count = data.get("count").and_then(Value::as_u64).unwrap_or(0);
            out.line(format_args!("{count} messages ran out before they were shown"))?;
        }
        Ok(false)
    }

    fn show(&self, reader: &Reader, message: Map<String, Value>, out: &mut Out) -> Result<(), Failure> {
        let cursor = message.get("cursor").and_then(Value::as_str).unwrap_or_default().to_owned();
        let is_late = message.get("late") == Some(&Value::Bool(true));
        let envelope = reader.read(message)?;
        if self.json {
            return out.line(envelope.to_json(&reader.network));
        }
        let cursor = if self.cursors { format!("{cursor:<22}  ") } else { String::new() };
        let late = if is_late { "  (late)" } else { "" };
        out.line(format_args!("{cursor}{}{late}", message::line(&envelope, reader.own)))
    }
}

/// Makes envelopes of what the node says.
struct Reader {
    own: NodeId,
    network: NetworkName,
    hash: NetworkHash,
    version: Version,
}

impl Reader {
    fn of(status: &Status) -> Result<Self, Failure> {
        let network: NetworkName = status.network.parse()?;
        let (hash, version) = if status.secure {
            (NetworkHash::secure(&network), Version::Signed)
        } else {
            (NetworkHash::plain(&network), Version::Open)
        };
        Ok(Reader { own: status.id, network, hash, version })
    }

    fn read(&self, mut message: Map<String, Value>) -> Result<Envelope, Failure> {
        for added in ["cursor", "late", "hops"] {
            message.remove(added);
        }
        Ok(Envelope::from_json(&Value::Object(message).to_string(), self.version, &self.hash)?)
    }
}
