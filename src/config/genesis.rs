//! The entries of `genesis`: where to begin, and which key must answer there.

use std::path::Path;

use super::error::ConfigProblem;
use super::table::{Fault, Section, Setting};
use crate::identity::{KeyFileProblem, NodeAddress, NodeId, PublicKey, read_id_file};

const EXAMPLE: &str = "[{ address = \"127.0.0.1:7400\", id_file = \"../keys/genesis.id\" }]";

/// The entries of the list, in their order. A plain network proves no keys, so there none may be named.
pub(super) fn read(list: Option<Setting<'_>>, base: &Path, is_plain: bool) -> Result<Vec<NodeAddress>, Fault> {
    let mut nodes = Vec::new();
    for entry in list.map(|list| list.list(EXAMPLE)).transpose()?.into_iter().flatten() {
        let node = if entry.is_table() { from_table(entry, base)? } else { from_text(entry)? };
        match node.id() {
            Some(_) if is_plain => {
                return Err(entry.invalid(
                    "names a key, but a plain network (plain = true) proves no keys; write only the address, like \
                     \"sealnet://127.0.0.1:7400\"",
                ));
            }
            Some(id) if PublicKey::decode(&id).is_err() => {
                return Err(entry.invalid(
                    "names a key that no node can have; copy the address again, as `sealnet id` prints it there",
                ));
            }
            None if !is_plain => {
                return Err(entry.invalid(
                    "does not say which key must answer there; add id_file = \"…/NAME.id\", or write the whole address \
                     sealnet://<64 hex digits>@host:port (`sealnet id` prints the digits)",
                ));
            }
            _ => {}
        }
        if nodes.contains(&node) {
            return Err(entry.invalid("names the same node at the same address twice; take one of the two out"));
        }
        nodes.push(node);
    }
    Ok(nodes)
}

fn from_text(entry: Setting<'_>) -> Result<NodeAddress, Fault> {
    let text = entry.text("\"sealnet://<64 hex digits>@host:port\"")?;
    text.parse().map_err(|error| entry.invalid(format!("has an entry that is no address: {error}")))
}

fn from_table(entry: Setting<'_>, base: &Path) -> Result<NodeAddress, Fault> {
    let table = entry.table(Section::Genesis)?;
    let address = table.require("address", "write where the node is, like address = \"127.0.0.1:7400\"")?;
    let id = table.get("id_file").map(|file| read_id(file, base)).transpose()?;
    let text = address.text("\"127.0.0.1:7400\"")?;
    if text.contains("://") {
        return Err(address.invalid(
            "is host and port alone; write an address that begins with sealnet:// as an entry of its own, without braces",
        ));
    }
    NodeAddress::new(id, text).map_err(|error| address.invalid(format!("is wrong: {error}")))
}

fn read_id(file: Setting<'_>, base: &Path) -> Result<NodeId, Fault> {
    let path = file.path(base)?;
    read_id_file(&path).map_err(|error| {
        file.refuse(match error.problem() {
            KeyFileProblem::Missing => ConfigProblem::NoIdFile { path },
            _ => ConfigProblem::IdFile(error),
        })
    })
}
