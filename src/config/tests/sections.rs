//! Commands that need a part of the configuration read that part alone.

use super::environment;
use crate::config::Config;

#[test]
fn rules_can_be_checked_where_the_secrets_of_production_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cuegate.toml");
    let load = |text: &str| {
        std::fs::write(&file, text).unwrap();
        Config::load_for_rules(Some(&file), &environment(&[]))
    };
    let head = "[iconik]\nauth_token = \"${NOT_HERE}\"\n[vars]\ndesk = ";
    let config = load(&format!("{head}\"sport\"")).unwrap();
    assert_eq!(config.vars["desk"], "sport");
    let error = load(&format!("{head}\"${{NOR_HERE}}\"")).expect_err("a rule would see this one");
    assert_eq!(error.findings().len(), 2, "{error}");
    load("no toml").expect_err("it is no TOML");
    let overriding = environment(&[
        ("CUEGATE__VARS__DESK", "news"),
        ("CUEGATE__ICONIK__APP_ID", "a"),
    ]);
    std::fs::write(&file, format!("{head}\"sport\"")).unwrap();
    let config = Config::load_for_rules(Some(&file), &overriding).unwrap();
    assert_eq!(config.vars["desk"], "news");
}

#[test]
fn the_files_can_be_worked_on_where_nothing_but_their_place_is_known() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cuegate.toml");
    let load = |text: &str| {
        std::fs::write(&file, text).unwrap();
        Config::load_for_store(Some(&file), &environment(&[]))
    };
    let head = "[iconik]\nauth_token = \"${NOT_HERE}\"\n[store]\nurl = ";
    let config = load(&format!("{head}\"sqlite:there/here.db\"")).unwrap();
    assert_eq!(config.store.path.to_str(), Some("there/here.db"));
    let wrong = format!("{head}\"sqlite:a.db\"\nretention = {{ events = \"1s\" }}");
    let error = load(&wrong).expect_err("a second is no retention");
    assert!(error.to_string().contains("out of range"), "{error}");
}
