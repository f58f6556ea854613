//! Nodes under each other, in columns, as wide as the terminal.

use super::super::Failure;
use super::super::escape;
use super::super::output::{NAME, Out, width};
use super::super::run::short;
use crate::identity::NodeId;

/// Rows that begin with a node's name; what else stands in them is aligned.
pub(super) struct Table {
    head: Vec<&'static str>,
    rows: Vec<(NodeId, Vec<String>)>,
}

impl Table {
    /// `head`: what the columns after the name are called.
    pub(super) fn new(head: &[&'static str]) -> Self {
        Table { head: head.to_vec(), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, id: NodeId, cells: Vec<String>) {
        self.rows.push((id, cells.iter().map(|cell| escape(cell).to_string()).collect()));
    }

    pub(super) fn print(&self, out: &mut Out) -> Result<(), Failure> {
        self.lines(width()).iter().try_for_each(|line| out.line(line))
    }

    /// The lines, of at most so many characters where names of 8 digits leave room for the rest.
    fn lines(&self, most: usize) -> Vec<String> {
        let wide = |column: usize| {
            let cells = self.rows.iter().filter_map(|(_, cells)| cells.get(column)).map(|cell| cell.chars().count());
            cells.chain(self.head.get(column).map(|name| name.len())).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(wide).collect();
        let rest: usize = widths.iter().map(|width| width + 2).sum();
        let name = |id: &NodeId| short(id, most.saturating_sub(rest));
        let first = self.rows.iter().map(|(id, _)| name(id).chars().count()).max().unwrap_or(4);
        let join = |cells: &mut dyn Iterator<Item = &str>| {
            let padded = cells.zip(&widths).map(|(cell, width)| format!("  {cell:width$}"));
            padded.collect::<String>().trim_end().to_owned()
        };
        let head = format!("{NAME}{:first$}{}{NAME:#}", "node", join(&mut self.head.iter().copied()));
        let rows = self
            .rows
            .iter()
            .map(|(id, cells)| format!("{:first$}{}", name(id), join(&mut cells.iter().map(String::as_str))));
        std::iter::once(head).chain(rows).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_long_as_there_is_room_and_columns_are_aligned() {
        let mut table = Table::new(&["state", "address"]);
        table.row(NodeId::from_bytes([0xab; 32]), vec!["present".into(), "127.0.0.1:7400".into()]);
        table.row(NodeId::from_bytes([0xcd; 32]), vec!["gone\u{1b}".into(), String::new()]);
        let plain =
            |most| table.lines(most).iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect();
        let lines: Vec<String> = plain(40);
        assert_eq!(lines[1], "abababababa…  present     127.0.0.1:7400");
        assert_eq!(lines[2], "cdcdcdcdcdc…  gone\\u{1b}");
        assert!(lines.iter().all(|line| line.chars().count() <= 40), "{lines:?}");
        let lines: Vec<String> = plain(usize::MAX);
        assert!(lines[1].starts_with(&"ab".repeat(32)), "{lines:?}");
    }
}
