//! Names for nodes that people can remember. They are this program's own affair and never sent: whoever chose its name
//! itself could choose somebody else's.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::identity::NodeId;

use super::Node;

/// So many nodes have a nickname at most.
pub const MAX_NICKNAMES: usize = 4096;

/// The longest nickname, in bytes.
const LONGEST: usize = 64;

/// Why a node cannot have a nickname.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NicknameError {
    /// It is no name that people could read and type.
    #[error("{0:?} is no nickname; take 1 to 64 bytes without control characters, and no space at either end")]
    Unusable(String),
    /// Another node has it.
    #[error("{name:?} is the nickname of {owner:#}; choose another, or take it away from that node first")]
    Taken {
        /// The nickname.
        name: String,
        /// Who has it.
        owner: NodeId,
    },
    /// So many nodes have one that this one cannot.
    #[error("{MAX_NICKNAMES} nodes have a nickname; take some away first")]
    TooMany,
}

/// The nicknames a program gave to nodes.
#[derive(Debug, Default)]
pub(super) struct Nicknames(Mutex<Names>);

#[derive(Debug, Default)]
struct Names {
    by_id: BTreeMap<NodeId, String>,
    by_name: BTreeMap<String, NodeId>,
}

impl Nicknames {
    fn lock(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, id: NodeId, name: &str) -> Result<(), NicknameError> {
        let is_usable =
            (1..=LONGEST).contains(&name.len()) && name.trim() == name && !name.chars().any(char::is_control);
        if !is_usable {
            return Err(NicknameError::Unusable(name.to_owned()));
        }
        let mut names = self.lock();
        if let Some(owner) = names.by_name.get(name).copied() {
            let taken = NicknameError::Taken { name: name.to_owned(), owner };
            return if owner == id { Ok(()) } else { Err(taken) };
        }
        if names.by_id.len() >= MAX_NICKNAMES && !names.by_id.contains_key(&id) {
            return Err(NicknameError::TooMany);
        }
        if let Some(former) = names.by_id.insert(id, name.to_owned()) {
            names.by_name.remove(&former);
        }
        names.by_name.insert(name.to_owned(), id);
        Ok(())
    }

    fn remove(&self, id: &NodeId) -> Option<String> {
        let mut names = self.lock();
        let name = names.by_id.remove(id)?;
        names.by_name.remove(&name);
        Some(name)
    }
}

impl Node {
    /// Gives a node a name that people can remember, in the place of the one it had here. It holds in this program, until it
    /// ends; nobody else is told.
    ///
    /// # Errors
    /// If it cannot be used, or another node has it.
    pub fn set_nickname(&self, id: &NodeId, name: &str) -> Result<(), NicknameError> {
        self.shared().nicknames.set(*id, name)
    }

    /// Takes a node's nickname away, and says what it was.
    pub fn remove_nickname(&self, id: &NodeId) -> Option<String> {
        self.shared().nicknames.remove(id)
    }

    /// The nickname of a node, if it was given one here.
    pub fn nickname(&self, id: &NodeId) -> Option<String> {
        self.shared().nicknames.lock().by_id.get(id).cloned()
    }

    /// The node with this nickname.
    pub fn nicknamed(&self, name: &str) -> Option<NodeId> {
        self.shared().nicknames.lock().by_name.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    #[test]
    fn a_nickname_belongs_to_one_node_and_a_node_has_one() {
        let names = Nicknames::default();
        let [alice, bob] = [1, 2].map(|n| Identity::from_seed(&[n; 32]).id());
        names.set(alice, "alice").unwrap();
        names.set(alice, "alice").unwrap();
        assert_eq!(names.set(bob, "alice"), Err(NicknameError::Taken { name: "alice".into(), owner: alice }));
        names.set(alice, "al").unwrap();
        names.set(bob, "alice").unwrap();
        assert_eq!(names.remove(&alice).as_deref(), Some("al"));
        assert_eq!(names.remove(&alice), None);
        names.set(bob, "al").unwrap();
        for bad in ["", " al", "al ", "a\nb", &"a".repeat(65)] {
            assert_eq!(names.set(bob, bad), Err(NicknameError::Unusable(bad.into())));
        }
    }
}
