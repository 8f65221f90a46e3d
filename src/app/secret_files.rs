//! Files of secrets are looked at while the gateway runs, so that a secret is replaced without a restart.
//!
//! They are read instead of being watched for the reasons that the rules' directory is (see `watching`). What is read
//! counts when it is the same at two looks in a row, so that half a file is never taken for a secret. What cannot be used
//! changes nothing and is said once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::admin::Access;
use crate::config::{self, SecretFile};
use crate::egress::Egress;
use crate::iconik::IconikClient;
use crate::ingress::Ingress;
use crate::model::Secret;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Puts the secrets of a file to use, or says why they are of none.
pub(super) type Apply = Box<dyn Fn(Vec<Secret>) -> Result<(), String> + Send + Sync>;

/// The secret of a file that holds one.
fn one(secrets: Vec<Secret>) -> Secret {
    let first = secrets.into_iter().next();
    first.unwrap_or_else(|| Secret::new(""))
}

/// The files that we log in to Iconik with.
pub(super) fn of_login(iconik: &config::Iconik, client: &Arc<IconikClient>) -> Vec<Watched> {
    let mut watched = Vec::new();
    if let Some(file) = &iconik.auth_token_file {
        let client = Arc::clone(client);
        let apply = move |secrets| {
            let replaced = client.replace_token(&one(secrets));
            replaced.map_err(|error| error.to_string())
        };
        let in_use = [iconik.auth_token.clone()];
        watched.push(Watched::new(file, &in_use, Box::new(apply)));
    }
    if let Some(file) = &iconik.app_id_file {
        let client = Arc::clone(client);
        let apply = move |secrets| {
            let replaced = client.replace_app_id(one(secrets).expose());
            replaced.map_err(|error| error.to_string())
        };
        let in_use = [Secret::new(iconik.app_id.clone())];
        watched.push(Watched::new(file, &in_use, Box::new(apply)));
    }
    if let Some(oauth) = &iconik.oauth
        && let Some(file) = &oauth.client_secret_file
    {
        let client = Arc::clone(client);
        let apply = move |secrets| {
            client.replace_client_secret(one(secrets));
            Ok(())
        };
        let in_use = [oauth.client_secret.clone()];
        watched.push(Watched::new(file, &in_use, Box::new(apply)));
    }
    watched
}

/// The files that senders are verified by.
pub(super) fn of_sources(
    sources: &BTreeMap<String, config::Source>,
    ingress: &Arc<Ingress>,
) -> Vec<Watched> {
    let watched = sources.iter().filter_map(|(name, source)| {
        let file = source.secrets_file.as_ref()?;
        let (ingress, name) = (Arc::clone(ingress), name.clone());
        let apply = move |secrets| {
            let replaced = ingress.replace_secrets(&name, secrets);
            replaced.map_err(|error| error.to_string())
        };
        let in_use = source.verify.secrets();
        Some(Watched::new(file, in_use, Box::new(apply)))
    });
    watched.collect()
}

/// The file of the tokens that the admin API takes.
pub(super) fn of_admin(server: &config::Server, access: &Access) -> Option<Watched> {
    let file = server.admin_tokens_file.as_ref()?;
    let access = access.clone();
    let apply = move |secrets: Vec<Secret>| {
        access.replace(&secrets);
        Ok(())
    };
    let in_use = &server.admin_tokens;
    Some(Watched::new(file, in_use, Box::new(apply)))
}

/// The files of the targets: where they are, and the headers that they want.
pub(super) fn of_targets(
    targets: &BTreeMap<String, config::Egress>,
    egress: &Arc<Egress>,
) -> Vec<Watched> {
    let mut watched = Vec::new();
    for (name, target) in targets {
        // What one file says has to outlast what the next one does.
        let known = Arc::new(Mutex::new(target.clone()));
        let watch = |file: &SecretFile, in_use: &Secret, put: Put| {
            let (egress, name, known) = (Arc::clone(egress), name.clone(), Arc::clone(&known));
            let apply = move |secrets: Vec<Secret>| {
                let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                let mut wanted = known.clone();
                put(&mut wanted, one(secrets));
                let replaced = egress.replace(&name, &wanted);
                replaced.map_err(|error| error.to_string())?;
                *known = wanted;
                Ok(())
            };
            Watched::new(file, std::slice::from_ref(in_use), Box::new(apply))
        };
        if let Some(file) = &target.url_file {
            let put: Put = Box::new(|target, secret| target.url = secret);
            watched.push(watch(file, &target.url, put));
        }
        for (header, file) in &target.header_files {
            let Some(in_use) = target.headers.get(header) else {
                continue;
            };
            let header = header.clone();
            let put: Put = Box::new(move |target, secret| {
                target.headers.insert(header.clone(), secret);
            });
            watched.push(watch(file, in_use, put));
        }
    }
    watched
}

/// Puts a secret into its place in what a target's configuration says.
type Put = Box<dyn Fn(&mut config::Egress, Secret) + Send + Sync>;

/// A file, and what becomes of its secrets.
pub(super) struct Watched {
    file: SecretFile,
    memory: Memory,
    apply: Apply,
}

impl Watched {
    /// A file whose secrets are in use as they were read at the start.
    pub(super) fn new(file: &SecretFile, in_use: &[Secret], apply: Apply) -> Self {
        Self {
            file: file.clone(),
            memory: Memory::of(in_use),
            apply,
        }
    }

    /// Takes note of what the file holds now.
    fn look(&mut self, found: Result<Vec<Secret>, String>) {
        let (key, path) = (self.file.key(), self.file.path().display());
        match self.memory.look(found) {
            Step::Nothing => {}
            Step::Complain(error) => {
                tracing::error!(key, %error, "a file of secrets cannot be used: those before stay in use");
            }
            Step::Apply(secrets) => match (self.apply)(secrets) {
                Ok(()) => {
                    tracing::info!(key, file = %path, "secrets were read anew and are in use");
                }
                Err(error) => {
                    tracing::error!(key, file = %path, error, "new secrets cannot be used: those before stay in use");
                }
            },
        }
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// Looks at the files until `shutdown` completes.
pub(super) async fn watch(mut watched: Vec<Watched>, shutdown: impl Future<Output = ()>) {
    tokio::pin!(shutdown);
    let mut tick = tokio::time::interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => return,
            _ = tick.tick() => {}
        }
        for one in &mut watched {
            let file = one.file.clone();
            let read = tokio::task::spawn_blocking(move || file.read());
            // The task ends early only when the runtime does.
            let Ok(found) = read.await else { return };
            one.look(found.map_err(|error| error.to_string()));
        }
    }
}

/// What to do about what was found.
#[derive(Debug)]
enum Step {
    Nothing,
    Apply(Vec<Secret>),
    Complain(String),
}

/// What is in use, and what was found last.
#[derive(Debug)]
struct Memory {
    in_use: Vec<Secret>,
    seen: Option<Result<Vec<Secret>, String>>,
    /// Whether what was seen has been acted on.
    settled: bool,
}

impl Memory {
    fn of(in_use: &[Secret]) -> Self {
        Self {
            in_use: in_use.to_vec(),
            seen: None,
            settled: false,
        }
    }

    fn look(&mut self, found: Result<Vec<Secret>, String>) -> Step {
        let again = match (&self.seen, &found) {
            (Some(Ok(before)), Ok(now)) => same(before, now),
            (Some(Err(before)), Err(now)) => before == now,
            _ => false,
        };
        if !again {
            self.seen = Some(found);
            self.settled = false;
            return Step::Nothing;
        }
        if std::mem::replace(&mut self.settled, true) {
            return Step::Nothing;
        }
        match found {
            Err(error) => Step::Complain(error),
            Ok(secrets) if same(&secrets, &self.in_use) => Step::Nothing,
            Ok(secrets) => {
                self.in_use.clone_from(&secrets);
                Step::Apply(secrets)
            }
        }
    }
}

fn same(one: &[Secret], other: &[Secret]) -> bool {
    let texts = |secrets: &[Secret]| -> Vec<String> {
        let texts = secrets.iter().map(|secret| secret.expose().to_owned());
        texts.collect()
    };
    texts(one) == texts(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(texts: &[&str]) -> Vec<Secret> {
        texts.iter().copied().map(Secret::new).collect()
    }

    /// What is done at each look: `-` nothing, `!` complain, else the secrets that come into use.
    fn steps(in_use: &[&str], found: &[Result<&[&str], &str>]) -> Vec<String> {
        let mut memory = Memory::of(&secrets(in_use));
        let step = |found: &Result<&[&str], &str>| {
            let found = found.map(secrets).map_err(ToOwned::to_owned);
            match memory.look(found) {
                Step::Nothing => "-".to_owned(),
                Step::Complain(error) => format!("!{error}"),
                Step::Apply(secrets) => {
                    let texts: Vec<_> = secrets.iter().map(Secret::expose).collect();
                    texts.join(" ")
                }
            }
        };
        found.iter().map(step).collect()
    }

    #[test]
    fn new_secrets_come_into_use_once_when_they_were_seen_twice() {
        let (old, half, new): (&[&str], &[&str], &[&str]) = (&["a"], &["b"], &["bc", "a"]);
        let found = [Ok(old), Ok(old), Ok(half), Ok(new), Ok(new), Ok(new)];
        assert_eq!(steps(&["a"], &found), ["-", "-", "-", "-", "bc a", "-"]);
    }

    #[test]
    fn a_file_that_was_changed_before_the_first_look_is_noticed() {
        let new: &[&str] = &["b"];
        assert_eq!(steps(&["a"], &[Ok(new), Ok(new)]), ["-", "b"]);
    }

    #[test]
    fn what_cannot_be_used_is_said_once_and_changes_nothing() {
        let (old, new): (&[&str], &[&str]) = (&["a"], &["b"]);
        let gone = Err("gone");
        let found = [
            gone,
            gone,
            gone,
            Ok(old),
            Ok(old),
            gone,
            gone,
            Ok(new),
            Ok(new),
        ];
        let expected = ["-", "!gone", "-", "-", "-", "-", "!gone", "-", "b"];
        assert_eq!(steps(&["a"], &found), expected);
    }
}
