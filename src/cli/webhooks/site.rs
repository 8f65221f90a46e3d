//! What the commands work with: the configuration, its rules, and Iconik with its credentials.

use std::sync::Arc;
use std::time::Duration;

use super::super::check::compile;
use super::super::gateway::Failed;
use super::super::{ConfigFile, Exit};
use crate::authoring;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::iconik::IconikClient;
use crate::model::RuleHeader;
use crate::subscriptions::{Change, Impossible, Plan, Registry, Terms, needs, plan};

/// One gateway's side and Iconik's.
pub(super) struct Site {
    client: IconikClient,
    rules: Vec<RuleHeader>,
    terms: Terms,
    index_lag: Duration,
}

impl Site {
    /// Reads configuration and rules, and asks Iconik who we are if that matters.
    pub(super) async fn open(file: &ConfigFile) -> Result<Self, Failed> {
        let configured = |message: String| Failed {
            exit: Exit::Configuration,
            message,
        };
        let config = file.load().map_err(|e| configured(e.to_string()))?;
        let credentials = config.require_credentials();
        credentials.map_err(|e| configured(e.to_string()))?;
        // Before anything is asked of Iconik.
        Terms::new(&config, None).map_err(|e| configured(e.to_string()))?;
        let client = IconikClient::through(&config.iconik, &config.http, Arc::new(SystemClock))
            .map_err(|e| configured(e.to_string()))?;
        let rules = rules(&config).await?;
        let user = if config.iconik.skip_own {
            Some(own_user(&client).await?)
        } else {
            None
        };
        let terms = Terms::new(&config, user).map_err(|e| configured(e.to_string()))?;
        Ok(Self {
            index_lag: config.iconik.index_lag,
            client,
            rules,
            terms,
        })
    }

    pub(super) fn mark(&self) -> String {
        self.terms.mark()
    }

    /// How long a search may not know of a change.
    pub(super) fn index_lag(&self) -> Duration {
        self.index_lag
    }

    pub(super) fn registry(&self) -> Registry<'_> {
        Registry::new(&self.client)
    }

    /// What has to be done in Iconik, and what cannot be had there.
    pub(super) async fn plan(&self) -> Result<(Plan, Vec<Impossible>), Failed> {
        let registry = self.registry();
        let has_form = |rule: &RuleHeader| rule.button.as_ref().is_some_and(|b| b.form.is_some());
        let views = if self.rules.iter().any(has_form) {
            registry.views().await.map_err(refused)?
        } else {
            Vec::new()
        };
        let needs = needs(&self.rules, &self.terms, &views);
        let found = registry.found().await.map_err(refused)?;
        let plan = plan(&needs.needed, &found, &self.mark());
        Ok((plan, needs.impossible))
    }

    pub(super) async fn carry_out(&self, change: &Change) -> Result<(), Failed> {
        self.registry().carry_out(change).await.map_err(refused)
    }
}

/// The enabled rules of the configuration. Rules that do not compile must not look like rules that need nothing.
async fn rules(config: &Config) -> Result<Vec<RuleHeader>, Failed> {
    let files = authoring::load(&config.rules.dir).map_err(|e| Failed::usage(e.to_string()))?;
    let compiled = compile(config, files).await.map_err(Failed::findings)?;
    if compiled.diagnostics.is_empty() {
        return Ok(compiled.rules);
    }
    let findings: Vec<String> = compiled
        .diagnostics
        .iter()
        .map(ToString::to_string)
        .collect();
    Err(Failed::findings(findings.join("\n\n")))
}

async fn own_user(client: &IconikClient) -> Result<String, Failed> {
    let account = client.account().await.map_err(refused)?;
    account.user.ok_or_else(|| {
        Failed::findings(
            "Iconik does not say which user we are, so `iconik.skip_own` cannot be carried out; set it to false",
        )
    })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "so that it can be handed to map_err as it is"
)]
pub(super) fn refused(error: impl ToString) -> Failed {
    Failed::findings(error.to_string())
}
