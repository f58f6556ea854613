//! Nodes as people call them.

use crate::identity::NodeId;
use crate::node::Node;

/// Why a name means no one node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nobody is called that.
    #[error("nobody here is called \"{}\"; name a member or neighbour by its id, the beginning of it, or its nickname", .0.escape_debug())]
    Nobody(String),
    /// Several are.
    #[error("{count} nodes are called {beginning}…; write more of the name", beginning = .name.escape_debug())]
    Several {
        /// What was said.
        name: String,
        /// How many it may mean.
        count: usize,
    },
}

/// The node that is called so: by its whole id, by its nickname, or by the beginning of its id, among members and neighbours.
///
/// # Errors
/// If it is none, or several.
pub fn resolve(node: &Node, name: &str) -> Result<NodeId, NameError> {
    if let Some(id) = name.parse().ok().or_else(|| node.nicknamed(name)) {
        return Ok(id);
    }
    let members = node.members().into_iter().map(|member| member.id);
    let mut found: Vec<_> = members.chain(node.links().into_iter().map(|link| link.peer)).collect();
    found.retain(|id| !name.is_empty() && id.to_string().starts_with(name));
    found.sort_unstable();
    found.dedup();
    let said = || name.chars().take(80).collect();
    match found[..] {
        [one] => Ok(one),
        [] => Err(NameError::Nobody(said())),
        _ => Err(NameError::Several { name: said(), count: found.len() }),
    }
}
