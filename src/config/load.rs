//! From a file and an environment to a [`Config`], or to everything that is wrong with them.
//!
//! The order is: text, tree, environment over the tree, types. Only a text that is no TOML ends early, because
//! findings about a half-read file mislead.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use reqwest::Url;
use toml::de::DeTable;

use super::reading::Reading;
use super::report::{ConfigError, Page, Problem};
use super::section::Section;
use super::tree::{Growing, Place, Table};
use super::{Config, Verify, defaults, iconik, overrides, sections};

/// The file that is read when none is named.
const FILE: &str = "cuegate.toml";

/// Largest configuration file; a larger one is surely the wrong file.
const FILE_BYTES: u64 = 1 << 20;

/// The sections that say what rules see and run in.
const RULE_SECTIONS: [&str; 3] = ["rules", "sandbox", "vars"];

impl Config {
    /// Reads the file at `path`; without a path `cuegate.toml` of the current directory, if it is there.
    ///
    /// `environment` fills `${NAME}` in, and its variables `CUEGATE__SECTION__KEY` override keys of the file.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, each with its place.
    pub fn load(
        path: Option<&Path>,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let file = path.unwrap_or(Path::new(FILE));
        match read_text(file) {
            Ok(text) => Self::parse(&text, file, environment),
            Err(Unread::Missing(_)) if path.is_none() => {
                build(None, "", DeTable::new(), environment)
            }
            Err(Unread::Missing(reason) | Unread::Unreadable(reason)) => {
                let message = format!(
                    "cannot read the configuration `{}`: {reason}",
                    file.display()
                );
                let problem = Problem::new("", Place::Nowhere, message)
                    .hint("name another file with --config, or leave it out to use the defaults");
                Err(page(Some(file), "").report(vec![problem]))
            }
        }
    }

    /// Reads a text as if it were the file `file`, which is what errors name and where `_file` paths begin.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, each with its place.
    pub fn parse(
        text: &str,
        file: &Path,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let (table, errors) = DeTable::parse_recoverable(text);
        let table = table.into_inner();
        // One mistake makes the parser stumble many times; the first time says it all.
        let Some(first) = errors.first() else {
            return build(Some(file), text, table, environment);
        };
        // What could be read is read all the same, only to know what an excerpt may show: nothing that begins
        // behind the mistake, where a secret may be taken for a key, and no string that may never have ended.
        let mut page = page(Some(file), text);
        let (_, reading) = read(table, directory(Some(file)), environment);
        page.visible = reading.visible;
        let at = first.span().map_or(0, |span| span.start);
        page.visible.retain(|span| {
            span.start <= at
                && text
                    .get(span.clone())
                    .is_some_and(|shown| !shown.contains('\n'))
        });
        let place = first.span().map_or(Place::Nowhere, Place::File);
        let message = format!("this is no TOML: {}", first.message());
        Err(page.report(vec![Problem::new("", place, message)]))
    }

    /// Reads what rules depend on and leaves the rest as it is by default: for commands that check or try rules
    /// on a machine that has neither the secrets of production nor its addresses.
    ///
    /// # Errors
    ///
    /// What is wrong with `[rules]`, `[sandbox]` and `[vars]`; a file that cannot be read or is no TOML.
    pub fn load_for_rules(
        path: Option<&Path>,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        Self::load_sections(path, environment, &RULE_SECTIONS)
    }

    /// Reads where the store is and leaves the rest as it is by default: for commands that work on the files alone.
    ///
    /// # Errors
    ///
    /// What is wrong with `[store]`; a file that cannot be read or is no TOML.
    pub fn load_for_store(
        path: Option<&Path>,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        Self::load_sections(path, environment, &["store"])
    }

    fn load_sections(
        path: Option<&Path>,
        environment: &BTreeMap<String, String>,
        sections: &[&str],
    ) -> Result<Self, ConfigError> {
        let error = match Self::load(path, environment) {
            Ok(config) => return Ok(config),
            Err(error) => error,
        };
        let file = path.unwrap_or(Path::new(FILE));
        let elsewhere = |key: &str| !sections.contains(&key.split('.').next().unwrap_or(key));
        let only_elsewhere = error
            .findings()
            .iter()
            .all(|finding| finding.key.as_deref().is_some_and(elsewhere));
        let text = read_text(file).unwrap_or_default();
        let Some(mut table) = text.parse::<toml::Table>().ok().filter(|_| only_elsewhere) else {
            return Err(error);
        };
        table.retain(|section, _| sections.contains(&section));
        let mut environment = environment.clone();
        environment.retain(|name, _| {
            overrides::section(name).is_none_or(|section| sections.contains(&&*section))
        });
        Self::parse(&table.to_string(), file, &environment)
    }

    /// Whether the credentials for Iconik are there, without which only the simulator can be spoken to.
    ///
    /// # Errors
    ///
    /// Names each key that is missing.
    pub fn require_credentials(&self) -> Result<(), ConfigError> {
        if self.iconik.oauth.is_some() {
            return Ok(());
        }
        let missing = [
            ("app_id", "ICONIK_APP_ID", self.iconik.app_id.is_empty()),
            (
                "auth_token",
                "ICONIK_AUTH_TOKEN",
                self.iconik.auth_token.expose().is_empty(),
            ),
        ];
        let problems: Vec<Problem> = missing
            .into_iter()
            .filter(|(.., missing)| *missing)
            .map(|(key, variable, _)| {
                let path = format!("iconik.{key}");
                let message = format!("`{path}` is missing: Iconik answers nobody without it");
                Problem::new(&path, Place::Nowhere, message).hint(format!(
                    "add `{key} = \"${{{variable}}}\"` or `{key}_file = \"path\"` to [iconik], or set \
                     CUEGATE__ICONIK__{}; or log in by `oauth`",
                    key.to_uppercase()
                ))
            })
            .collect();
        if problems.is_empty() {
            return Ok(());
        }
        Err(page(None, "").report(problems))
    }

    /// The name that this gateway's webhooks and buttons carry in Iconik: `iconik.instance`, else host and port of
    /// `server.public_url`. Nothing while neither is known.
    pub fn instance(&self) -> Option<String> {
        self.iconik.instance.clone().or_else(|| {
            let url = Url::parse(self.server.public_url.as_ref()?).ok()?;
            let host = url.host_str()?;
            Some(match url.port() {
                Some(port) => format!("{host}:{port}"),
                None => host.to_owned(),
            })
        })
    }

    /// How long after its arrival an event may be delivered once more and has to be recognized: the window that it
    /// arrived in and the next one, of the source with the longest.
    pub fn longest_dedup(&self) -> Duration {
        let windows = self.sources.values().map(|source| source.dedup_window);
        windows.max().unwrap_or(defaults::DEDUP_WINDOW) * 2
    }

    /// What is allowed and still deserves a look at every start, in sentences.
    pub fn warnings(&self) -> Vec<String> {
        let sources = self
            .sources
            .iter()
            .filter(|(_, source)| matches!(source.verify, Verify::None))
            .map(|(name, source)| {
                let who = if source.allow_ips.is_empty() {
                    "anybody who reaches"
                } else {
                    "every program at an address in allow_ips that reaches"
                };
                format!("{who} /hooks/{name} can send events: sources.{name}.verify is \"none\"")
            });
        let cloud = iconik::unknown_cloud(&self.iconik.base_url);
        cloud.into_iter().chain(sources).collect()
    }
}

fn build(
    file: Option<&Path>,
    text: &str,
    table: DeTable<'_>,
    environment: &BTreeMap<String, String>,
) -> Result<Config, ConfigError> {
    let (config, reading) = read(table, directory(file), environment);
    if reading.problems.is_empty() {
        return Ok(config);
    }
    let mut page = page(file, text);
    page.visible = reading.visible;
    Err(page.report(reading.problems))
}

fn read<'a>(
    table: DeTable<'_>,
    directory: &'a Path,
    environment: &BTreeMap<String, String>,
) -> (Config, Reading<'a>) {
    let mut growing = Growing {
        environment,
        problems: Vec::new(),
    };
    let mut tree: Table = growing.table("", table);
    let mut problems = growing.problems;
    overrides::apply(&mut tree, environment, &mut problems);
    let mut reading = Reading {
        directory,
        problems,
        visible: Vec::new(),
    };
    let config = Section::read(
        String::new(),
        Place::Nowhere,
        tree,
        &mut reading,
        sections::read,
    );
    (config, reading)
}

fn page<'a>(file: Option<&'a Path>, text: &'a str) -> Page<'a> {
    Page {
        file,
        text,
        visible: Vec::new(),
    }
}

fn directory(file: Option<&Path>) -> &Path {
    file.and_then(Path::parent).unwrap_or(Path::new(""))
}

enum Unread {
    Missing(String),
    Unreadable(String),
}

fn read_text(path: &Path) -> Result<String, Unread> {
    let unreadable = |error: std::io::Error| Unread::Unreadable(error.to_string());
    let file = std::fs::File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Unread::Missing(error.to_string()),
        _ => unreadable(error),
    })?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(Unread::Unreadable(format!(
            "it is larger than {FILE_BYTES} bytes"
        )));
    }
    String::from_utf8(bytes).map_err(|_| Unread::Unreadable("it is no UTF-8 text".to_owned()))
}
