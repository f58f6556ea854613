//! Bars on a terminal: one for the whole, and one for each member it comes from. Elsewhere nothing is drawn.

use std::collections::BTreeMap;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use sealnet::identity::NodeId;
use tokio::sync::watch;

use super::fetch::Progress;

/// So many members have a bar of their own.
const MOST: usize = 16;

fn bar(bars: &MultiProgress, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bars.add(ProgressBar::new(0).with_style(style))
}

/// Draws how it goes, until `progress` ends.
pub(crate) async fn draw(mut progress: watch::Receiver<Progress>) {
    let bars = MultiProgress::new();
    let whole = bar(&bars, "{bar:40} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} to go  {msg}");
    let mut members: BTreeMap<NodeId, ProgressBar> = BTreeMap::new();
    while progress.changed().await.is_ok() {
        let now = progress.borrow_and_update().clone();
        whole.set_length(now.size);
        if now.came() == 0 {
            // What was here before is no speed.
            whole.reset_eta();
        }
        whole.set_position(now.bytes);
        let refused: usize = now.refused.values().sum();
        if refused > 0 {
            whole.set_message(format!("{refused} pieces refused"));
        }
        for (member, pieces) in &now.from {
            if members.len() < MOST || members.contains_key(member) {
                let own = members.entry(*member).or_insert_with(|| bar(&bars, "{bar:40} {pos} pieces from {msg}"));
                own.set_length(now.pieces as u64);
                own.set_position(*pieces as u64);
                own.set_message(format!("{member:#}"));
            }
        }
    }
    members.values().for_each(ProgressBar::abandon);
    whole.abandon();
}
