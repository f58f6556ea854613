//! From the file's settings to a configuration: the rules between them.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use toml::de::DeTable;

use super::error::ConfigProblem;
use super::table::{Fault, Section, Setting, Table};
use super::{Config, Preset, Security};
use super::{control, genesis};
use crate::identity::NetworkName;
use crate::wire::fields::MAX_ADDRESSES;
use crate::{access, log, overlay};

/// The most that can be set of anything in [links]: far above any use, far below what a process may open.
const MAX_LINKS: u32 = 1024;
const MAX_INBOUND: u32 = 4096;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3600);

const MIB: u64 = 1 << 20;

/// The configuration in `text`. Relative paths are taken from `base`.
pub(super) fn config(text: &str, base: &Path) -> Result<Config, Fault> {
    // Of the parser's error only its words: it would also quote the line.
    let document = DeTable::parse(text).map_err(|error| Fault {
        at: error.span().map_or(0, |span| span.start),
        problem: ConfigProblem::Syntax(error.message().lines().collect::<Vec<_>>().join(", ")),
    })?;
    let top = Table::new(Section::Top, 0, document.get_ref())?;
    // First whether every name is known: what is missing may just be misspelt.
    let link_settings = top.section("links", Section::Links)?;
    let log_settings = top.section("log", Section::Log)?;
    let access_settings = top.section("access", Section::Access)?;
    let control_settings = top.section("control", Section::Control)?;
    let network = network(&top)?;
    let security = security(&top, base)?;
    let is_plain = security == Security::Plain;
    first_use(&top, is_plain)?;
    let listen = listen(&top)?;
    let advertise = advertise(&top, listen)?;
    let genesis = genesis::read(top.get("genesis"), base, is_plain)?;
    if listen.is_none() && genesis.is_empty() {
        let problem = ConfigProblem::MissingSetting {
            name: "genesis",
            remedy:
                "a node that accepts no connections and knows nobody stays alone: name a genesis node to begin at, or \
                     let others come with listen = \"127.0.0.1:7400\""
                    .to_owned(),
        };
        return Err(Fault { at: 0, problem });
    }
    let preset = preset(&top)?;
    let mut overlay = preset.overlay();
    links(&link_settings, &mut overlay)?;
    let log = log(&log_settings, &mut overlay)?;
    let folder = log_settings.get("folder").map(|folder| folder.path(base)).transpose()?;
    let log_in_memory = log_settings.flag("in_memory", false)?;
    let access = access(&access_settings)?;
    let control = control::read(&control_settings, base)?;
    Ok(Config {
        path: None,
        network,
        security,
        listen,
        advertise,
        preset,
        genesis,
        overlay,
        log,
        folder,
        log_in_memory,
        access,
        control,
    })
}

fn network(top: &Table<'_>) -> Result<NetworkName, Fault> {
    let setting = top.require(
        "network",
        "write the name all its nodes use, like network = \"lab-7k3q\" (`sealnet init` proposes one)",
    )?;
    setting.text("\"lab-7k3q\"")?.parse().map_err(|error| setting.invalid(format!("is wrong: {error}")))
}

fn security(top: &Table<'_>, base: &Path) -> Result<Security, Fault> {
    let (identity, network_key) = (top.get("identity"), top.get("network_key"));
    if !top.flag("plain", false)? {
        let identity = match identity {
            Some(identity) => identity.path(base)?,
            None => top
                .require(
                    "identity",
                    "name the file of the node's key, like identity = \"../keys/peer.pem\" (`sealnet keygen peer` makes \
                     it), or write plain = true for a node without keys",
                )?
                .path(base)?,
        };
        return Ok(Security::Secure { identity, network_key: network_key.map(|key| key.path(base)).transpose()? });
    }
    for (setting, name) in [(identity, "identity"), (network_key, "network_key")] {
        if let Some(setting) = setting {
            return Err(setting.contradiction(format!(
                "\"{name}\" contradicts plain = true: a plain node has no keys and encrypts nothing; take out one of the two"
            )));
        }
    }
    Ok(Security::Plain)
}

/// Keys are pinned. Trusting the first key that answers needs a memory of it, which this version does not have.
fn first_use(top: &Table<'_>, is_plain: bool) -> Result<(), Fault> {
    match top.get("trust_on_first_use") {
        Some(setting) if setting.flag()? && is_plain => Err(setting.contradiction(
            "\"trust_on_first_use\" contradicts plain = true: there are no keys to trust; take out one of the two",
        )),
        Some(setting) if setting.flag()? => Err(setting.refuse(ConfigProblem::NotYet(
            "\"trust_on_first_use\" arrives with a later version: this one remembers no keys between two runs, so it pins \
             them; take the setting out and give each genesis entry its id_file or its whole address"
                .to_owned(),
        ))),
        _ => Ok(()),
    }
}

pub(super) fn address(setting: &Setting<'_>) -> Result<SocketAddr, Fault> {
    let text = setting.text("\"127.0.0.1:7401\"")?;
    text.parse().map_err(|_| {
        setting.invalid(
            "is no address; write IP address and port, like \"127.0.0.1:7401\" or \"[::1]:7401\" (no host name)",
        )
    })
}

fn listen(top: &Table<'_>) -> Result<Option<SocketAddr>, Fault> {
    let Some(setting) = top.get("listen") else { return Ok(None) };
    let listen = address(&setting)?;
    if listen.ip().is_multicast() {
        return Err(
            setting.invalid("is a multicast address, where nobody can connect; write an address of this machine")
        );
    }
    Ok(Some(listen))
}

fn advertise(top: &Table<'_>, listen: Option<SocketAddr>) -> Result<Vec<SocketAddr>, Fault> {
    let Some(setting) = top.get("advertise") else { return Ok(Vec::new()) };
    let mut addresses = Vec::new();
    for entry in setting.list("[\"192.0.2.1:7401\"]")? {
        let address = address(&entry)?;
        let scoped = matches!(address, SocketAddr::V6(v6) if v6.scope_id() != 0);
        if address.port() == 0 || address.ip().is_unspecified() || address.ip().is_multicast() || scoped {
            return Err(entry.invalid(
                "has an entry where nobody can connect; write the address and port under which others reach this node",
            ));
        }
        if addresses.contains(&address) {
            return Err(entry.invalid("has the same address twice; take one of the two out"));
        }
        addresses.push(address);
    }
    if addresses.len() > MAX_ADDRESSES {
        return Err(setting.invalid(format!("has {} addresses; write at most {MAX_ADDRESSES}", addresses.len())));
    }
    if listen.is_none() && !addresses.is_empty() {
        return Err(setting.contradiction(
            "\"advertise\" says where others can connect, but without \"listen\" the node accepts nobody; add \"listen\" or \
             take \"advertise\" out",
        ));
    }
    Ok(addresses)
}

fn preset(top: &Table<'_>) -> Result<Preset, Fault> {
    let Some(setting) = top.get("preset") else { return Ok(Preset::default()) };
    let text = setting.text("\"wan\"")?;
    Preset::from_name(text).ok_or_else(|| {
        setting.invalid("is none of the three; write \"local\" (one machine), \"lan\" (one site) or \"wan\" (anywhere)")
    })
}

fn links(section: &Table<'_>, overlay: &mut overlay::Settings) -> Result<(), Fault> {
    if let Some(setting) = section.get("target") {
        overlay.target_links = setting.number(1, MAX_LINKS)?;
        // The preset's room above the target stays, unless the file says otherwise.
        overlay.max_links = overlay.max_links.max(overlay.target_links + overlay.target_links / 2);
    }
    if let Some(setting) = section.get("max") {
        overlay.max_links = setting.number(1, MAX_LINKS + MAX_LINKS / 2)?;
        if overlay.max_links < overlay.target_links {
            return Err(setting.contradiction(format!(
                "\"max\" is {} and less than \"target\", which is {}: links would be closed as soon as they are made; raise \
                 \"max\" or lower \"target\"",
                overlay.max_links, overlay.target_links
            )));
        }
    }
    if let Some(setting) = section.get("inbound") {
        overlay.inbound_links = setting.number(1, MAX_INBOUND)?;
    }
    if let Some(setting) = section.get("broadcast") {
        overlay.broadcast = overlay::Broadcast::from_name(setting.text("\"auto\"")?).ok_or_else(|| {
            setting.invalid(
                "is none of the three; write \"auto\" (a tree above three links), \"tree\" (always) or \"flood\" (never)",
            )
        })?;
    }
    if let Some(setting) = section.get("ping_after") {
        overlay.ping_after = setting.duration(SECOND / 10, DAY)?;
        overlay.dead_after = overlay.dead_after.max(overlay.ping_after * 2);
    }
    if let Some(setting) = section.get("dead_after") {
        overlay.dead_after = setting.duration(SECOND / 5, 2 * DAY)?;
        if overlay.dead_after < overlay.ping_after * 2 {
            return Err(setting.contradiction(format!(
                "\"dead_after\" is less than twice \"ping_after\", which is \"{}\": a link would be closed before an answer \
                 can come; raise \"dead_after\" or lower \"ping_after\"",
                super::units::ShownDuration(overlay.ping_after)
            )));
        }
    }
    Ok(())
}

fn log(section: &Table<'_>, overlay: &mut overlay::Settings) -> Result<log::Settings, Fault> {
    let mut log = log::Settings::default();
    if let Some(setting) = section.get("keep") {
        log.keep = setting.duration(60 * SECOND, 366 * DAY)?;
    }
    if let Some(setting) = section.get("max_size") {
        log.max_bytes = setting.size(MIB, 1 << 40)?;
    }
    overlay.history = section.flag("history", overlay.history)?;
    // What the core offers to others is what the log keeps: one number, said once.
    overlay.keep = log.keep;
    Ok(log)
}

fn access(section: &Table<'_>) -> Result<access::Settings, Fault> {
    let Some(setting) = section.get("mode") else { return Ok(access::Settings::default()) };
    match setting.text("\"open\"")? {
        "open" => Ok(access::Settings::default()),
        mode @ ("allow-list" | "certificate") => Err(setting.refuse(ConfigProblem::NotYet(format!(
            "\"mode\" = \"{mode}\" arrives with a later version: this one would let in whom it should not; write \"open\", \
             and keep strangers out with a network_key"
        )))),
        _ => Err(setting.invalid("means nothing; write \"open\"")),
    }
}
