//! What is printed: lines for a person, one JSON object a line for a program.

use std::io::{self, Write};

use sealnet::envelope::Timestamp;
use serde::Serialize;

use super::Failure;
use crate::chain::Entry;
use crate::network::{Balance, ShownBlock, Status};

/// Something that can be printed for a person.
pub(super) trait Lines {
    fn lines(&self) -> Vec<String>;
}

/// Prints to standard output. A reader who has gone (`| head`) ends the command quietly.
pub(super) fn print(value: &(impl Lines + Serialize), json: bool) -> Result<(), Failure> {
    let lines = if json { vec![serde_json::to_string(value)?] } else { value.lines() };
    let mut out = io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }
    Ok(out.flush()?)
}

impl Lines for Status {
    fn lines(&self) -> Vec<String> {
        let chain = &self.chain;
        let supply = if chain.supply_ok { "all of it accounted for" } else { "THE BALANCES DO NOT ADD UP TO IT" };
        vec![
            format!("chain         {} ({})", chain.chain, chain.genesis),
            format!("height        {}", chain.height),
            format!("tip           {}", chain.tip),
            format!("difficulty    {} hashes a block", chain.difficulty.hashes()),
            format!("issued        {} to {} accounts, {supply}", chain.issued, chain.accounts),
            format!("mempool       {} transfers", chain.mempool),
            format!("reorganised   {} times since the start", chain.reorganisations),
            format!("neighbours    {}", self.neighbours),
            format!("mining        {}", if self.mining { "yes" } else { "no" }),
        ]
    }
}

impl Lines for Balance {
    fn lines(&self) -> Vec<String> {
        let waiting = self.balance != self.spendable;
        let spendable =
            if waiting { format!(" ({} when all that waits is done)", self.spendable) } else { String::new() };
        vec![format!("{}{spendable}", self.balance)]
    }
}

impl Lines for Entry {
    fn lines(&self) -> Vec<String> {
        let place = match &self.confirmed {
            Some(confirmed) => {
                format!("block {:>6}  {:>4} confirmations", confirmed.height, confirmed.confirmations)
            }
            None => format!("{:<31}", "waiting"),
        };
        let what = match (&self.id, &self.from, &self.nonce) {
            (Some(id), Some(from), Some(nonce)) => {
                format!("{from:#} -> {:#}  {:>8} + {:<3}  nonce {nonce}  {id}", self.to, self.amount, self.fee)
            }
            _ => format!("mined    -> {:#}  {:>8}", self.to, self.amount),
        };
        vec![format!("{place}  {what}")]
    }
}

impl Lines for Vec<Entry> {
    fn lines(&self) -> Vec<String> {
        if self.is_empty() { vec!["nothing".to_owned()] } else { self.iter().flat_map(Lines::lines).collect() }
    }
}

impl Lines for ShownBlock {
    fn lines(&self) -> Vec<String> {
        let time = Timestamp::from_micros(self.time).unwrap_or_default();
        let confirmations = match self.confirmations {
            Some(count) => count.to_string(),
            None => "none: it is on a branch that lost".to_owned(),
        };
        let mut lines = vec![
            format!("block         {}", self.height),
            format!("hash          {}", self.hash),
            format!("parent        {}", self.parent),
            format!("time          {time}"),
            format!("difficulty    {} (nonce {})", self.difficulty, self.nonce),
            format!("mined by      {} for {}", self.miner, self.reward),
            format!("confirmations {confirmations}"),
            format!("transfers     {} ({} bytes)", self.transfers.len(), self.bytes),
        ];
        lines.extend(self.transfers.iter().flat_map(Lines::lines));
        lines
    }
}
