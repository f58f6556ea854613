//! Commands, one a line: `set KEY VALUE`, `get KEY`, `remove KEY`, `list`.

use std::error::Error;
use std::path::Path;

use sealnet::node::SecureNode;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::kv::{Kv, TITLE};

/// Runs the node that `config` describes until standard input ends.
pub(crate) async fn serve(config: &Path) -> Result<(), Box<dyn Error>> {
    let kv = Kv::default();
    let node = SecureNode::from_file(config)?.app(TITLE, kv.clone()).start().await?;
    eprintln!(
        "{}; set KEY VALUE, get KEY, remove KEY, list",
        node.address().map_or("linked".into(), |at| at.to_string())
    );
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let mut words = line.splitn(3, ' ');
        let done = match (words.next(), words.next(), words.next()) {
            (Some("set"), Some(key), Some(value)) => {
                kv.set(&node, key, value).await.map(|receipt| println!("{receipt}"))
            }
            (Some("remove"), Some(key), None) => kv.remove(&node, key).await.map(|receipt| println!("{receipt}")),
            (Some("get"), Some(key), None) => {
                println!("{}", kv.read(|table| table.get(key).unwrap_or("(nothing)").to_owned()));
                Ok(())
            }
            (Some("list"), None, None) => {
                kv.read(|table| {
                    table.list().for_each(|(key, value, writer)| println!("{key} = {value}  ({writer:#})"))
                });
                Ok(())
            }
            _ => {
                println!("set KEY VALUE, get KEY, remove KEY, list");
                Ok(())
            }
        };
        // What could not be written is said, and the prompt goes on.
        done.unwrap_or_else(|error| println!("error: {error}"));
    }
    node.stop().await;
    Ok(())
}
