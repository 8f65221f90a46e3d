//! What the rules need of Iconik.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::definition::{Kind, MARK_HEADER, Needed, button_subject};
use super::registry::View;
use super::terms::{SOURCE, Terms};
use crate::model::{Button, Pattern, RULE_HEADER, RuleHeader, RuleId, RunAs, Secret};

/// Something that a rule wants and that no definition in Iconik can give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Impossible {
    /// What is wanted.
    pub subject: String,
    /// Who wants it.
    pub rules: Vec<RuleId>,
    /// Why it cannot be had, and what to do.
    pub why: String,
    /// Whether nothing may be changed before this is mended: what it stands for is there, and would be removed.
    #[serde(skip)]
    pub blocks: bool,
}

/// What the rules need.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// The definitions, webhooks first.
    pub needed: Vec<Needed>,
    /// What cannot be had.
    pub impossible: Vec<Impossible>,
}

/// What these rules need. `views` are the metadata views that Iconik has, for the forms of buttons.
pub fn needs(rules: &[RuleHeader], terms: &Terms, views: &[View]) -> Needs {
    let mut needs = Needs::default();
    webhooks(rules, terms, &mut needs);
    for rule in rules {
        if let Some(button) = &rule.button {
            buttons(rule, button, (terms, views), &mut needs);
        }
    }
    needs
}

/// A webhook for each pattern that no wider one covers: where two webhooks wanted one event, Iconik would send it twice.
fn webhooks(rules: &[RuleHeader], terms: &Terms, needs: &mut Needs) {
    let mut wanted: BTreeMap<&[String], BTreeSet<&RuleId>> = BTreeMap::new();
    let mut echoed: BTreeSet<&[String]> = BTreeSet::new();
    for rule in rules {
        for pattern in rule.on.iter().filter(|pattern| pattern.source == SOURCE) {
            wanted.entry(&pattern.parts).or_default().insert(&rule.rule);
            if rule.echoes {
                echoed.insert(&pattern.parts);
            }
        }
    }
    let any_type = |parts: &[String]| parts.first().is_some_and(|part| part == "*");
    for (parts, rules) in wanted.iter().filter(|(parts, _)| any_type(parts)) {
        needs.impossible.push(Impossible {
            subject: parts.join("/"),
            rules: rules.iter().copied().cloned().collect(),
            why: "a webhook of Iconik names one event_type; write the types out, such as \"assets/…\" and \"collections/…\""
                .to_owned(),
            blocks: false,
        });
    }
    wanted.retain(|parts, _| !any_type(parts));
    for parts in wanted.keys() {
        if wanted
            .keys()
            .any(|other| other != parts && covers(other, parts))
        {
            continue;
        }
        let covered = || wanted.iter().filter(|(other, _)| covers(parts, other));
        let rules: BTreeSet<&RuleId> = covered().flat_map(|(_, rules)| rules).copied().collect();
        let echoes = covered().any(|(other, _)| echoed.contains(other));
        let rules = rules.into_iter().cloned().collect();
        needs.needed.push(webhook(parts, rules, terms, echoes));
    }
}

/// Whether every event that the second pattern means is meant by the first as well.
fn covers(wide: &[String], narrow: &[String]) -> bool {
    wide.len() == narrow.len() && wide.iter().zip(narrow).all(|(w, n)| w == "*" || w == n)
}

fn webhook(parts: &[String], rules: Vec<RuleId>, terms: &Terms, echoes: bool) -> Needed {
    let pattern = Pattern {
        source: SOURCE.to_owned(),
        parts: parts.to_vec(),
    };
    let subject = pattern.to_string();
    let part = |at: usize| match parts.get(at).map(String::as_str) {
        None | Some("*") => Value::Null,
        Some(part) => part.into(),
    };
    let mut keys = object(json!({
        "event_type": part(0),
        "realm": part(1),
        "operation": part(2),
        "object_id": null,
        "url": terms.url,
        "name": format!("cuegate {subject}"),
        "description": format!(
            "{} made by `cuegate webhooks sync`, which undoes what is changed by hand", terms.mark()
        ),
    }));
    // A rule that wants echoes lives on our own events. The `query` is inferred from the help page of webhooks: an
    // expression over the event's own keys.
    if let Some(user) = terms.skip.as_ref().filter(|_| !echoes) {
        keys.insert("query".to_owned(), format!("user_id!=\"{user}\"").into());
    }
    Needed {
        kind: Kind::Webhook,
        subject,
        rules,
        keys,
        headers: terms.proof.clone(),
    }
}

/// A custom action for each place of a button.
fn buttons(
    rule: &RuleHeader,
    button: &Button,
    (terms, views): (&Terms, &[View]),
    needs: &mut Needs,
) {
    let form = match button.form.as_deref().map(|name| form(name, views)) {
        None => Value::Null,
        Some(Ok(view)) => view.into(),
        Some(Err(why)) => {
            needs.impossible.push(Impossible {
                subject: format!("the form of {}", rule.rule),
                rules: vec![rule.rule.clone()],
                why,
                blocks: true,
            });
            return;
        }
    };
    let contexts: BTreeSet<&String> = button.contexts.iter().collect();
    for context in contexts {
        let mut headers = terms.proof.clone();
        for (name, value) in [
            (RULE_HEADER, rule.rule.to_string()),
            (MARK_HEADER, terms.mark()),
        ] {
            headers.insert(name.to_owned(), Secret::new(value));
        }
        let mut keys = object(json!({
            "title": button.title,
            "url": terms.url,
            "context": context,
            "type": "POST",
            "metadata_view": form,
        }));
        if rule.run_as == RunAs::User {
            keys.insert("app_id".to_owned(), terms.app_id.as_str().into());
        }
        needs.needed.push(Needed {
            kind: Kind::Button,
            subject: button_subject(rule.rule.as_str(), context),
            rules: vec![rule.rule.clone()],
            keys,
            headers,
        });
    }
}

/// The id of the view that is named, by its name or id.
fn form(name: &str, views: &[View]) -> Result<String, String> {
    let by_name: Vec<&View> = views.iter().filter(|view| view.name == name).collect();
    match by_name.as_slice() {
        [view] => Ok(view.id.clone()),
        [] if views.iter().any(|view| view.id == name) => Ok(name.to_owned()),
        [] => {
            let names: Vec<String> = views
                .iter()
                .map(|view| format!("`{}`", view.name))
                .collect();
            let names = names.join(", ");
            Err(format!(
                "Iconik has no metadata view `{name}`; there are {names}"
            ))
        }
        several => {
            let ids: Vec<&str> = several.iter().map(|view| view.id.as_str()).collect();
            let ids = ids.join(", ");
            Err(format!(
                "Iconik has several metadata views `{name}`; give the id of one of them: {ids}"
            ))
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
