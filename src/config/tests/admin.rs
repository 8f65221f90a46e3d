//! Who may use the admin listener: tokens from the file, from a file of their own, from the environment, or nobody else.

use std::path::Path;

use super::messages::check_faults;
use super::{environment, parse, parse_in};
use crate::config::{Config, MetricsFor, show};

#[test]
fn an_admin_listener_for_others_needs_a_token() {
    check_faults(&[
        (
            "server.admin_listen = \"0.0.0.0:8081\"",
            "can be reached from other machines, and there is no token",
        ),
        (
            "server = { admin_listen = \"0.0.0.0:8081\", admin_tokens = [\"short\"] }",
            "`server.admin_tokens[0]` is shorter than 16 characters",
        ),
        ("server.admin_tokens = []", "`server.admin_tokens` is empty"),
        (
            "server.admin_token = \"a-token-of-some-length\"",
            "did you mean `admin_tokens`?",
        ),
        (
            "server.metrics = \"public\"",
            "none of \"token\", \"open\", \"off\"",
        ),
        (
            "server.admin_tokens_file = \"/nowhere/tokens\"",
            "cannot read `/nowhere/tokens`",
        ),
        (
            "server = { admin_tokens = [\"a-token-of-some-length\"], admin_tokens_file = \"b\" }",
            "given twice",
        ),
    ]);
}

#[test]
fn tokens_come_from_a_list_a_file_or_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("tokens"),
        "the-newest-of-two-tokens\nthe-other-of-two-tokens\n",
    )
    .unwrap();
    let file = directory.path().join("cuegate.toml");
    let text = "server = { admin_listen = \"0.0.0.0:8081\", admin_tokens_file = \"tokens\", metrics = \"open\" }";
    let config = Config::parse(text, Path::new(&file), &environment(&[])).unwrap();
    let tokens: Vec<&str> = config
        .server
        .admin_tokens
        .iter()
        .map(crate::model::Secret::expose)
        .collect();
    assert_eq!(
        tokens,
        ["the-newest-of-two-tokens", "the-other-of-two-tokens"]
    );
    assert_eq!(config.server.metrics, MetricsFor::Everybody);
    let variable = [(
        "CUEGATE__SERVER__ADMIN_TOKENS",
        "one-token-without-brackets",
    )];
    let config = parse_in("server.admin_listen = \"0.0.0.0:8081\"", &variable).unwrap();
    assert_eq!(config.server.admin_tokens.len(), 1);
}

#[test]
fn a_key_to_seal_with_has_the_right_length_and_is_not_shown() {
    let key = "5e".repeat(32);
    let config = parse(&format!("server.seal_key = \"{key}\"")).unwrap();
    assert!(config.server.seal_key.is_some());
    assert!(!show(&config).contains("5e5e") && show(&config).contains("seal_key"));
    let shown = parse(&show(&config)).unwrap();
    assert_eq!(show(&shown), show(&config));
    for wrong in [
        "5e5e",
        &key[1..],
        "hunter2hunter2hunter2hunter2hunter2hunter2",
    ] {
        let error = parse(&format!("server.seal_key = \"{wrong}\""))
            .unwrap_err()
            .to_string();
        assert!(error.contains("64 hexadecimal digits"), "{error}");
        assert!(!error.contains(wrong), "{error}");
    }
}
