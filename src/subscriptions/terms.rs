//! What all definitions of one gateway have in common: where they point, how they prove who sends, whose they are.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::config::{self, Config, Verify};
use crate::model::Secret;

/// The source that Iconik sends to.
pub(super) const SOURCE: &str = "iconik";

/// Why the configuration does not say what Iconik is to be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// Iconik has to know where to send.
    #[error(
        "`server.public_url` is missing: Iconik has to know how it reaches this gateway; write \
         `public_url = \"https://hooks.example.com\"` in [server]"
    )]
    NoUrl,
    /// There is no such source.
    #[error(
        "there is no [sources.iconik]: Iconik's events would be refused; add one with \
         `verify = {{ header = \"x-cuegate-secret\", secrets = [\"${{NAME}}\"] }}`"
    )]
    NoSource,
    /// Iconik cannot prove itself in this way.
    #[error(
        "`sources.iconik.verify` asks for what Iconik cannot do: it signs nothing and sends static headers only; write \
         `verify = {{ header = \"x-cuegate-secret\", secrets = [\"${{NAME}}\"] }}`"
    )]
    NoProof,
}

/// What all definitions of one gateway have in common.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Where Iconik sends to.
    pub(super) url: String,
    /// The name that tells this gateway's definitions from those of others.
    pub(super) instance: String,
    /// The headers that prove the sender.
    pub(super) proof: BTreeMap<String, Secret>,
    /// Our application: without it Iconik sends no token of whoever presses a button.
    pub(super) app_id: String,
    /// Our user, if its events are to be left out.
    pub(super) skip: Option<String>,
}

impl Terms {
    /// As the configuration has it. `own_user` is whom Iconik takes us for, if our own events are to be left out.
    ///
    /// # Errors
    ///
    /// If the configuration leaves open what Iconik has to know.
    pub fn new(config: &Config, own_user: Option<String>) -> Result<Self, TermsError> {
        let base = config.server.public_url.as_ref().ok_or(TermsError::NoUrl)?;
        let instance = config.instance().ok_or(TermsError::NoUrl)?;
        let source = config.sources.get(SOURCE).ok_or(TermsError::NoSource)?;
        let proof = match &source.verify {
            Verify::None => BTreeMap::new(),
            Verify::Header { header, secrets } => {
                let newest = secrets.first().ok_or(TermsError::NoProof)?;
                BTreeMap::from([(header.clone(), newest.clone())])
            }
            Verify::Basic { user, passwords } => {
                let newest = passwords.first().ok_or(TermsError::NoProof)?;
                let pair = BASE64_STANDARD.encode(format!("{user}:{}", newest.expose()));
                let value = Secret::new(format!("Basic {pair}"));
                BTreeMap::from([("authorization".to_owned(), value)])
            }
            Verify::Hmac(_) | Verify::StandardWebhooks { .. } => return Err(TermsError::NoProof),
        };
        Ok(Self {
            url: format!("{base}/hooks/{SOURCE}"),
            instance,
            proof,
            app_id: application(&config.iconik),
            skip: own_user,
        })
    }

    /// What every definition of this gateway carries.
    pub fn mark(&self) -> String {
        mark(&self.instance)
    }
}

/// The `App-ID` that our calls carry.
fn application(iconik: &config::Iconik) -> String {
    match &iconik.oauth {
        Some(oauth) if iconik.app_id.is_empty() => oauth.client_id.clone(),
        _ => iconik.app_id.clone(),
    }
}

/// What the definitions of the gateway of this name carry.
pub(super) fn mark(instance: &str) -> String {
    format!("cuegate:{instance}")
}
