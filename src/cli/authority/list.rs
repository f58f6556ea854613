//! `sealnet authority list`: what was certified.

use clap::Args;
use serde::Serialize;

use super::super::Failure;
use super::super::escape;
use super::super::output::Out;
use super::register::{Status, second};
use super::{KeyArgs, shown_time};
use crate::identity::NodeId;

/// Print the certificates that were issued.
#[derive(Args)]
pub(super) struct List {
    /// Leave out those that have ended or are revoked
    #[arg(long)]
    valid: bool,

    #[command(flatten)]
    key: KeyArgs,

    /// Print the facts as JSON, one object a certificate
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Known<'a> {
    serial: &'a str,
    label: &'a str,
    subject: NodeId,
    not_before: u64,
    not_after: u64,
    rights: String,
    status: Status,
}

impl List {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let (_, register) = self.key.open()?;
        let now = second();
        let wanted = register.certificates.iter().filter(|issued| !self.valid || issued.status(now) == Status::Valid);
        for issued in wanted {
            let status = issued.status(now);
            if self.json {
                out.json(&Known {
                    serial: &issued.serial,
                    label: &issued.label,
                    subject: issued.subject,
                    not_before: issued.not_before,
                    not_after: issued.not_after,
                    rights: issued.rights().to_string(),
                    status,
                })?;
                continue;
            }
            let status = match status {
                Status::Valid => "valid until",
                Status::Ended => "ended",
                Status::Revoked => "revoked; was until",
            };
            let (label, end) = (escape(&issued.label), shown_time(issued.not_after));
            let (serial, rights) = (&issued.serial, issued.rights());
            out.line(format_args!("{:#}  {label:<20}  {status} {end}  ({rights})  {serial}", issued.subject))?;
        }
        Ok(())
    }
}
