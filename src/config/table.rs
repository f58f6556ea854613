//! One section of the file, read setting by setting; each knows where in the file it stands.

use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigProblem;
use super::units::{ShownDuration, ShownSize, parse_duration, parse_size};

/// What is wrong, and at which byte of the file.
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) problem: ConfigProblem,
}

/// A part of the file that has settings of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Top,
    Genesis,
    Links,
    Log,
    Access,
    Control,
}

impl Section {
    pub(super) const ALL: [Section; 6] =
        [Section::Top, Section::Genesis, Section::Links, Section::Log, Section::Access, Section::Control];

    /// Every setting it has. A name that is not here is refused.
    pub(super) const fn settings(self) -> &'static [&'static str] {
        match self {
            Section::Top => &[
                "network",
                "identity",
                "listen",
                "advertise",
                "preset",
                "genesis",
                "network_key",
                "trust_on_first_use",
                "plain",
                "links",
                "log",
                "access",
                "control",
            ],
            Section::Genesis => &["address", "id_file"],
            Section::Links => &["target", "max", "inbound", "broadcast", "ping_after", "dead_after"],
            Section::Log => &["folder", "in_memory", "keep", "max_size", "history"],
            Section::Access => &["mode"],
            Section::Control => &["listen", "socket", "watch", "file"],
        }
    }

    /// Where its settings are written.
    const fn place(self) -> &'static str {
        match self {
            Section::Top => "above the first [section]",
            Section::Genesis => "in an entry of genesis",
            Section::Links => "in the section [links]",
            Section::Log => "in the section [log]",
            Section::Access => "in the section [access]",
            Section::Control => "in the section [control]",
        }
    }
}

/// A section whose settings all have known names.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    section: Section,
    at: usize,
    entries: Option<&'a DeTable<'a>>,
}

impl<'a> Table<'a> {
    /// The section `section`, whose settings are `entries`; it begins at the byte `at`.
    pub(super) fn new(section: Section, at: usize, entries: &'a DeTable<'a>) -> Result<Self, Fault> {
        let unknown = entries.keys().find(|key| !section.settings().contains(&key.get_ref().as_ref()));
        match unknown {
            Some(key) => Err(Fault { at: key.span().start, problem: unknown_setting(section, key.get_ref()) }),
            None => Ok(Table { section, at, entries: Some(entries) }),
        }
    }

    /// The setting, if it is there.
    pub(super) fn get(&self, name: &'static str) -> Option<Setting<'a>> {
        debug_assert!(self.section.settings().contains(&name), "{name} is not in the list of settings");
        let (key, value) = self.entries?.get_key_value(name)?;
        Some(Setting { name, key_at: key.span().start, value })
    }

    /// The setting, which has no default.
    pub(super) fn require(&self, name: &'static str, remedy: &str) -> Result<Setting<'a>, Fault> {
        self.get(name).ok_or_else(|| self.incomplete(name, remedy))
    }

    /// Whether the section stands in the file at all.
    pub(super) fn is_there(&self) -> bool {
        self.entries.is_some()
    }

    /// The section lacks something, which may be the setting `name`.
    pub(super) fn incomplete(&self, name: &'static str, remedy: &str) -> Fault {
        Fault { at: self.at, problem: ConfigProblem::MissingSetting { name, remedy: remedy.to_owned() } }
    }

    /// The section `name` within this one; without settings if it is not there.
    pub(super) fn section(&self, name: &'static str, section: Section) -> Result<Table<'a>, Fault> {
        match self.get(name) {
            Some(setting) => setting.table(section),
            None => Ok(Table { section, at: self.at, entries: None }),
        }
    }

    /// `true` or `false`, or `default`.
    pub(super) fn flag(&self, name: &'static str, default: bool) -> Result<bool, Fault> {
        self.get(name).map_or(Ok(default), |setting| setting.flag())
    }
}

/// One setting and its value.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    name: &'static str,
    key_at: usize,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Setting<'a> {
    /// An entry of a list, called as the list.
    pub(super) fn entry(self, value: &'a Spanned<DeValue<'a>>) -> Self {
        Setting { value, ..self }
    }

    /// The value means nothing: `why` is the rest of the sentence.
    pub(super) fn invalid(&self, why: impl Into<String>) -> Fault {
        let problem = ConfigProblem::InvalidValue { name: self.name, why: why.into() };
        Fault { at: self.value.span().start, problem }
    }

    /// The value is right in itself and wrong here.
    pub(super) fn refuse(&self, problem: ConfigProblem) -> Fault {
        Fault { at: self.value.span().start, problem }
    }

    /// The setting does not go together with another one.
    pub(super) fn contradiction(&self, what: impl Into<String>) -> Fault {
        Fault { at: self.key_at, problem: ConfigProblem::Contradiction(what.into()) }
    }

    fn wrong_type(&self, expected: &str) -> Fault {
        self.invalid(format!("is of the type {}; write {expected}", self.value.get_ref().type_str()))
    }

    /// Some text; `example` shows what it looks like, quotation marks included.
    pub(super) fn text(&self, example: &str) -> Result<&'a str, Fault> {
        self.value.get_ref().as_str().ok_or_else(|| self.wrong_type(&format!("text, like {example}")))
    }

    pub(super) fn flag(&self) -> Result<bool, Fault> {
        self.value.get_ref().as_bool().ok_or_else(|| self.wrong_type("true or false"))
    }

    /// The entries of a list.
    pub(super) fn list(&self, example: &str) -> Result<impl Iterator<Item = Setting<'a>> + use<'a>, Fault> {
        let array =
            self.value.get_ref().as_array().ok_or_else(|| self.wrong_type(&format!("a list, like {example}")))?;
        let setting = *self;
        Ok(array.iter().map(move |value| setting.entry(value)))
    }

    /// Whether the value is a table.
    pub(super) fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }

    pub(super) fn table(&self, section: Section) -> Result<Table<'a>, Fault> {
        let entries = self.value.get_ref().as_table();
        let entries = entries.ok_or_else(|| self.wrong_type(&format!("a section, [{}]", self.name)))?;
        Table::new(section, self.value.span().start, entries)
    }

    /// A whole number from `least` to `most`.
    pub(super) fn number(&self, least: u32, most: u32) -> Result<usize, Fault> {
        let integer = self.value.get_ref().as_integer().ok_or_else(|| self.wrong_type("a whole number"))?;
        u32::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| (least..=most).contains(number))
            .and_then(|number| usize::try_from(number).ok())
            .ok_or_else(|| self.invalid(format!("is out of range; write a number from {least} to {most}")))
    }

    /// A span of time from `least` to `most`.
    pub(super) fn duration(&self, least: Duration, most: Duration) -> Result<Duration, Fault> {
        const EXAMPLE: &str = "a number with a unit (ms, s, m, h, d), like \"20s\"";
        let text = self.value.get_ref().as_str().ok_or_else(|| self.wrong_type(EXAMPLE))?;
        let span = parse_duration(text).ok_or_else(|| self.invalid(format!("is no span of time; write {EXAMPLE}")))?;
        if (least..=most).contains(&span) {
            return Ok(span);
        }
        let (least, most) = (ShownDuration(least), ShownDuration(most));
        Err(self.invalid(format!("is out of range; write a span from \"{least}\" to \"{most}\"")))
    }

    /// A size from `least` to `most` bytes.
    pub(super) fn size(&self, least: u64, most: u64) -> Result<usize, Fault> {
        const EXAMPLE: &str = "a number with a unit (B, KiB, MiB, GiB), like \"256MiB\"";
        let text = self.value.get_ref().as_str().ok_or_else(|| self.wrong_type(EXAMPLE))?;
        let size = parse_size(text).ok_or_else(|| self.invalid(format!("is no size; write {EXAMPLE}")))?;
        let (shown_least, shown_most) = (ShownSize(least), ShownSize(most));
        let out_of_range =
            || self.invalid(format!("is out of range; write a size from \"{shown_least}\" to \"{shown_most}\""));
        usize::try_from(size).ok().filter(|_| (least..=most).contains(&size)).ok_or_else(out_of_range)
    }

    /// A path, taken from the folder `base`. What looks like the secret itself is refused and not quoted.
    pub(super) fn path(&self, base: &std::path::Path) -> Result<PathBuf, Fault> {
        let text = self.text("\"../keys/peer.pem\"")?;
        let is_hex_key = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if is_hex_key || text.contains("-----") || text.contains('\n') {
            return Err(
                self.invalid("holds a key; a configuration holds no secrets, so write the path of the key's file")
            );
        }
        if text.is_empty() || text.contains('\0') {
            return Err(self.invalid("is no path; write the path of a file, like \"../keys/peer.pem\""));
        }
        if text == "~" || text.starts_with("~/") {
            return Err(self.invalid("begins with ~, which only a shell knows; write the whole path"));
        }
        Ok(resolve(base, text))
    }
}

/// `text` as a path from the folder `base`, without detours like `config/../keys` where they lead nowhere else.
fn resolve(base: &std::path::Path, text: &str) -> PathBuf {
    let mut folder = base.to_owned();
    let mut rest = std::path::Path::new(text);
    while let Ok(after) = rest.strip_prefix("..") {
        let is_plain = folder.file_name().is_some() && !folder.is_symlink();
        if !(is_plain && folder.pop()) {
            break;
        }
        rest = after;
    }
    folder.join(rest)
}

/// Longest part of a name that is quoted back.
const SHOWN: usize = 40;

fn unknown_setting(section: Section, name: &str) -> ConfigProblem {
    let elsewhere = Section::ALL.into_iter().find(|other| other.settings().contains(&name));
    let remedy = match (elsewhere, nearest(name, section.settings())) {
        (Some(other), _) => format!("it belongs {}", other.place()),
        (None, Some(meant)) => format!("did you mean \"{meant}\"?"),
        (None, None) => format!("{} there may be: {}", section.place(), section.settings().join(", ")),
    };
    ConfigProblem::UnknownSetting { name: name.chars().take(SHOWN).collect(), remedy }
}

/// The one of `known` that somebody who wrote `name` most likely meant.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    if name.len() > SHOWN {
        return None;
    }
    let name = name.to_lowercase().replace('-', "_");
    let distance = |known: &&'static str| strsim::osa_distance(&name, known);
    known.iter().copied().min_by_key(distance).filter(|best| distance(best) <= (best.len() / 3).max(1))
}
