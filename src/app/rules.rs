//! From files to the active rule set: all or nothing, and the last good set stays until a better one is there.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{Mutex, watch};

use crate::authoring::{self, DirectoryError};
use crate::model::{Diagnostic, RuleFile, RuleSet, RunAs};
use crate::sandbox::{Sandbox, SandboxError};
use crate::store::{Store, StoreError};
use crate::telemetry::{Part, Readiness};

/// Where rules come from.
#[derive(Clone, Debug)]
pub enum RulesAt {
    /// A directory, read anew at every load.
    Directory(PathBuf),
    /// Files that are at hand.
    Files(Vec<RuleFile>),
}

/// Why a set of rules was not taken. The set that was active before still is.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The files cannot be read.
    #[error("{0}")]
    Directory(#[from] DirectoryError),
    /// They do not compile.
    #[error("{}", diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"))]
    Findings {
        /// Everything that is wrong.
        diagnostics: Vec<Diagnostic>,
    },
    /// The sandbox cannot compile at the moment.
    #[error("{0}")]
    Sandbox(#[from] SandboxError),
    /// The store cannot keep them.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// How the first load went.
#[derive(Debug)]
pub enum RulesLoaded {
    /// The files compile and are active.
    Active,
    /// They do not; the last good set of an earlier start is active.
    LastGood(RulesError),
    /// They do not, and there is no earlier set: nothing is routed until they are mended.
    None(RulesError),
}

/// Loads rule sets and hands the active one to the router.
#[derive(Debug)]
pub(super) struct RuleLoader {
    pub(super) at: RulesAt,
    pub(super) vars: Value,
    pub(super) site: String,
    /// Whether tokens of people are kept.
    pub(super) seals: bool,
    /// The names under `[egress]`.
    pub(super) targets: Vec<String>,
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) store: Arc<dyn Store>,
    pub(super) readiness: Readiness,
    pub(super) active: watch::Sender<Option<Arc<RuleSet>>>,
    /// One load at a time: two of them would activate in an order of chance.
    pub(super) turn: Mutex<()>,
}

impl RuleLoader {
    /// The first load: when the files are bad, the last good set comes from the store.
    pub(super) async fn start(&self) -> Result<RulesLoaded, StoreError> {
        let Err(error) = self.load().await else {
            return Ok(RulesLoaded::Active);
        };
        let Some(last) = self.store.active_rule_set().await? else {
            self.readiness
                .not_ready(Part::RuleSet, "no rule set that compiles has been loaded");
            tracing::error!(%error, "the rules do not load and there is no earlier set: events are kept and not routed");
            return Ok(RulesLoaded::None(error));
        };
        tracing::error!(%error, rule_set = %last.id, "the rules do not load: the last good set stays active");
        self.publish(last);
        Ok(RulesLoaded::LastGood(error))
    }

    /// Reads, compiles and activates; on any error the active set stays as it is.
    pub(super) async fn load(&self) -> Result<Arc<RuleSet>, RulesError> {
        let _turn = self.turn.lock().await;
        let loaded = self.load_alone().await;
        if loaded.is_err() {
            metrics::counter!("cuegate_rule_loads_failed_total").increment(1);
        }
        loaded
    }

    async fn load_alone(&self) -> Result<Arc<RuleSet>, RulesError> {
        let files = match &self.at {
            RulesAt::Directory(directory) => authoring::load(directory)?,
            RulesAt::Files(files) => files.clone(),
        };
        let compiled = self
            .sandbox
            .compile(files.clone(), self.vars.clone())
            .await?;
        if !compiled.diagnostics.is_empty() {
            return Err(RulesError::Findings {
                diagnostics: compiled.diagnostics,
            });
        }
        let set = authoring::rule_set(files, compiled.rules, self.vars.clone(), self.site.clone());
        // A set that cannot be read any more must not keep a good one out.
        let before = self.store.active_rule_set().await;
        self.store.activate_rule_set(set.clone()).await?;
        match before {
            Ok(Some(before)) => warn_of_loss(&before, &set),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "whether rules were lost cannot be told: the set before cannot be read");
            }
        }
        tracing::info!(rule_set = %set.id, rules = set.rules.len(), "rules are active");
        Ok(self.publish(set))
    }

    fn publish(&self, set: RuleSet) -> Arc<RuleSet> {
        self.warn_of_missing_targets(&set);
        self.warn_of_missing_key(&set);
        let set = Arc::new(set);
        self.active.send_replace(Some(Arc::clone(&set)));
        self.readiness.ready(Part::RuleSet);
        set
    }

    /// A rule that runs as people can do nothing while no token is kept.
    fn warn_of_missing_key(&self, set: &RuleSet) {
        let people = set.rules.iter().filter(|rule| rule.run_as == RunAs::User);
        for rule in people.filter(|_| !self.seals) {
            tracing::warn!(
                rule = %rule.rule,
                "a rule runs as whoever presses its button, and the configuration has no `server.seal_key_file`: its runs end at their first call"
            );
        }
    }

    /// A rule may be good for another deployment, whose configuration has the target.
    fn warn_of_missing_targets(&self, set: &RuleSet) {
        for rule in &set.rules {
            let targets = rule
                .allow
                .iter()
                .filter_map(|scope| scope.strip_prefix("egress:"));
            for target in targets.filter(|target| !self.targets.iter().any(|name| name == target)) {
                tracing::warn!(
                    rule = %rule.rule,
                    egress = target,
                    "a rule may speak to a target that is not under [egress] in the configuration: its runs end when they do"
                );
            }
        }
    }
}

/// A rule may be missing on purpose; by accident, nobody would notice it for long.
fn warn_of_loss(before: &RuleSet, now: &RuleSet) {
    let lost: Vec<&str> = before
        .rules
        .iter()
        .filter(|rule| now.header(&rule.rule).is_none())
        .map(|rule| rule.rule.as_str())
        .collect();
    if !lost.is_empty() {
        metrics::counter!("cuegate_rules_lost_total").increment(lost.len() as u64);
        tracing::warn!(
            rules = lost.join(", "),
            "rules are not active any more: events are routed without them. If they are missing by accident, put them back, then `cuegate events reroute --since … --rule …` brings back what was routed without them"
        );
    }
}
