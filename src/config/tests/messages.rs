//! The words of the errors: what is wrong, where, and what to do; never a secret.

use std::path::Path;

use super::{environment, error_in};
use crate::config::Config;

fn error(text: &str) -> String {
    error_in(text, &[])
}

#[test]
fn an_unknown_key_comes_with_a_suggestion() {
    insta::assert_snapshot!(error("[server]\nlisten = \"0.0.0.0:80\"\nadmin_listn = \"127.0.0.1:81\" # old\n"), @r#"
    error: unknown key `server.admin_listn`
      --> cuegate.toml:3:1
       |
     3 | admin_listn = ***
       | ^
      help: did you mean `admin_listen`?
    "#);
    insta::assert_snapshot!(error("servr.listen = 1"), @r#"
    error: unknown key `servr`
      --> cuegate.toml:1:1
       |
     1 | servr.*** = ***
       | ^
      help: did you mean `server`?
    "#);
    insta::assert_snapshot!(error("[rules]\nwatch = true"), @r#"
    error: unknown key `rules.watch`
      --> cuegate.toml:2:1
       |
     2 | watch = ***
       | ^
      help: known here are `dir`
    "#);
}

#[test]
fn everything_that_is_wrong_is_said_at_once_in_the_order_of_the_file() {
    let text = r#"
[server]
listen = 8080
drain = "soon"
[iconik]
base_url = "ftp://user:hunter2@host"
rate = { per_second = 0 }
[sandbox]
workers = 0
memory = "128"
"#;
    insta::assert_snapshot!(error_in(text, &[("CUEGATE__SANDBOX__CPU", "fast")]), @r#"
    error: `server.listen` must be a string, not a number
      --> cuegate.toml:3:10
       |
     3 | listen = 8080
       |          ^

    error: `server.drain`: `soon` is no duration: write a number and a unit, such as "90s", "10m", "24h" or "7d"
      --> cuegate.toml:4:9
       |
     4 | drain = "soon"
       |         ^

    error: `iconik.base_url`: the URL must begin with https:// or http://
      --> cuegate.toml:6:12
       |
     6 | base_url = ***
       |            ^
      help: write something like "https://hooks.example.com"

    error: `iconik.rate.per_second`: 0 is out of range; it may be 1 to 10000
      --> cuegate.toml:7:23
       |
     7 | rate = { per_second = 0 }
       |                       ^

    error: `sandbox.workers`: 0 is out of range; it may be 1 to 256
      --> cuegate.toml:9:11
       |
     9 | workers = 0
       |           ^

    error: `sandbox.memory`: `128` is no size: write a number and a unit, such as "64KiB", "1MiB" or "20GB"
      --> cuegate.toml:10:10
        |
     10 | memory = "128"
        |          ^

    error: `sandbox.cpu`: `fast` is no duration: write a number and a unit, such as "90s", "10m", "24h" or "7d"
      --> environment variable CUEGATE__SANDBOX__CPU
    "#);
}

#[test]
fn an_unset_variable_is_named_and_not_called_empty_as_well() {
    insta::assert_snapshot!(error("[iconik]\nauth_token = \"${ICONIK_AUTH_TOKEN}\""), @r#"
    error: `iconik.auth_token`: the environment variable `ICONIK_AUTH_TOKEN` is not set
      --> cuegate.toml:2:14
       |
     2 | auth_token = ***
       |              ^
      help: set ICONIK_AUTH_TOKEN, or write `$${ICONIK_AUTH_TOKEN}` for the characters themselves
    "#);
    insta::assert_snapshot!(error("[sources.a]\nverify = { header = \"x-s\", secrets = [\"${S}\"] }"), @r#"
    error: `sources.a.verify.secrets[0]`: the environment variable `S` is not set
      --> cuegate.toml:2:39
       |
     2 | verify = { header = "x-s", secrets = [***] }
       |                                       ^
      help: set S, or write `$${S}` for the characters themselves
    "#);
}

#[test]
fn an_override_is_named_by_its_variable() {
    let pairs = [
        ("CUEGATE__SERVER__LISTN", "0.0.0.0:80"),
        ("CUEGATE__SERVER__DRAIN", "soon"),
        ("CUEGATE__LIMITS____BODY", "1MiB"),
        ("CUEGATE__RULES", "rules"),
        ("CUEGATE__RULES__DIR", "rules"),
    ];
    insta::assert_snapshot!(error_in("[server]\ndrain = \"1s\"", &pairs), @r#"
    error: `CUEGATE__LIMITS____BODY` names no key
      --> environment variable CUEGATE__LIMITS____BODY
      help: put two underscores between the parts of a key, as in CUEGATE__SERVER__LISTEN

    error: `CUEGATE__RULES__DIR` contradicts `CUEGATE__RULES`: one sets the whole, the other a part of it
      --> environment variable CUEGATE__RULES__DIR
      help: unset CUEGATE__RULES or CUEGATE__RULES__DIR

    error: `server.drain`: `soon` is no duration: write a number and a unit, such as "90s", "10m", "24h" or "7d"
      --> environment variable CUEGATE__SERVER__DRAIN

    error: unknown key `server.listn`
      --> environment variable CUEGATE__SERVER__LISTN
      help: did you mean `listen`?

    error: `rules` must be a table, not a string
      --> environment variable CUEGATE__RULES
    "#);
}

#[test]
fn what_this_version_does_not_carry_out_is_refused_by_name() {
    for text in [
        "[alerts]\n",
        "store.url = \"postgres://me:hunter2@db/cuegate\"",
        "rules.new_destructive = \"shadow\"",
        "sandbox.require = [\"seccomp\"]",
    ] {
        let error = error(text);
        assert!(error.contains("not supported yet"), "{text}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    insta::assert_snapshot!(error("[store]\nurl = \"postgres://me:hunter2@db/cuegate\""), @r#"
    error: `store.url`: PostgreSQL is not supported yet
      --> cuegate.toml:2:7
       |
     2 | url = ***
       |       ^
      help: write "sqlite:data/cuegate.db"
    "#);
    insta::assert_snapshot!(error("[sandbox]\nrequire = [\"seccomp\"]"), @r#"
    error: `sandbox.require` is not supported yet
      --> cuegate.toml:2:1
       |
     2 | require = [***]
       | ^
      help: remove it; this version does not carry it out
    "#);
}

/// Each text has one fault, whose message has the words beside it.
pub(super) fn check_faults(faults: &[(&str, &str)]) {
    for (text, expected) in faults {
        let error = error(text);
        assert!(error.contains(expected), "{text}: {error}");
        assert_eq!(error.matches("error: ").count(), 1, "{text}: {error}");
        assert!(!error.contains("hunter2"), "{text}: {error}");
    }
}

#[test]
fn impossible_values_are_refused() {
    check_faults(&[
        ("server.listen = \"127.0.0.1:8081\"", "same port"),
        (
            "server = { listen = \"127.0.0.1:80\", admin_listen = \"127.0.0.1:80\" }",
            "same port",
        ),
        ("server.listen = \"localhost:80\"", "no address"),
        ("server.public_url = \"hooks.example.com\"", "no URL"),
        ("server.public_url = \"https://a/?x=1\"", "a `?` or a `#`"),
        ("server.drain = \"2h\"", "out of range"),
        ("store.url = \"sqlite:\"", "names no file"),
        ("store.url = \"sqlite::memory:\"", "lose accepted events"),
        ("store.url = \"sqlite:data/inbox.db\"", "name of the inbox"),
        ("store.url = \"data/cuegate.db\"", "no URL of a store"),
        ("iconik.rate.per_20s = 0", "out of range"),
        ("iconik.timeout = \"0s\"", "out of range"),
        ("iconik.index_lag = \"2h\"", "out of range"),
        ("iconik.auth_token = \"\"", "is empty"),
        ("iconik.auth_token = \" x\"", "white space"),
        (
            "iconik = { auth_token = \"a\", auth_token_file = \"b\" }",
            "given twice",
        ),
        (
            "iconik.auth_token_file = \"/nowhere/token\"",
            "cannot read `/nowhere/token`",
        ),
        ("rules.dir = \"\"", "is empty"),
        ("sandbox.workers = 257", "out of range"),
        ("sandbox.workers = -1", "out of range"),
        ("sandbox.workers = 99999999999999999999", "out of range"),
        ("limits.body = \"0B\"", "out of range"),
        ("vars.default = 1", "cannot write `vars::default`"),
        ("vars.a-b = 1", "cannot write `vars::a-b`"),
        ("vars.day = 2024-01-01", "value that rules do not have"),
    ]);
}

#[test]
fn what_looks_like_verification_and_is_none_is_refused() {
    check_faults(&[
        ("sources.a = {}", "must say how it is verified"),
        ("sources.a.verify = \"nothing\"", "no way to verify"),
        ("sources.a.verify = {}", "no way to verify"),
        ("sources.A.verify = \"none\"", "no name of a source"),
        ("sources.schedule.verify = \"none\"", "gateway's own clock"),
        ("limits.loop = { runs = 0 }", "out of range"),
        ("limits.loop = { within = \"0s\" }", "out of range"),
        (
            "sources.a.verify = { header = \"x y\", secrets = [\"s\"] }",
            "no name of a header",
        ),
        (
            "sources.a.verify = { header = \"user-agent\", secrets = [\"s\"] }",
            "stored with the event",
        ),
        (
            "sources.a.verify = { header = \"x-s\" }",
            "secrets` is missing",
        ),
        (
            "sources.a.verify = { header = \"x-s\", secrets = [] }",
            "secrets` is empty",
        ),
        (
            "sources.a.verify = { header = \"x-s\", secrets = [\"\"] }",
            "secrets[0]` is empty",
        ),
        (
            "sources.a.verify = { header = \"x-s\", secrets = [\"s\"], hmac = { header = \"x\", secrets = [\"s\"] } }",
            "one of them",
        ),
        (
            "sources.a.verify.hmac = { secrets = [\"s\"] }",
            "header` is missing",
        ),
        (
            "sources.a.verify.hmac = { header = \"x\", secrets = [\"s\"], signed = [\"v0\"] }",
            "leaves out the body",
        ),
        (
            "sources.a.verify.hmac = { header = \"x\", secrets = [\"s\"], signed = [\"timestamp\", \"body\"] }",
            "no header is said",
        ),
        (
            "sources.a.verify.hmac = { header = \"x\", secrets = [\"s\"], timestamp_header = \"t\" }",
            "the time is not signed",
        ),
        (
            "sources.a.verify.hmac = { header = \"x\", secrets = [\"s\"], algorithm = \"md5\" }",
            "none of \"sha256\", \"sha512\"",
        ),
        (
            "sources.a.verify.standard_webhooks = { secrets = [\"whsec_!\"] }",
            "no Standard Webhooks key",
        ),
    ]);
}

#[test]
fn a_file_that_is_missing_or_unreadable_is_named() {
    let nothing = environment(&[]);
    let error =
        Config::load(Some(Path::new("/nowhere/c.toml")), &nothing).expect_err("it is missing");
    insta::assert_snapshot!(error, @r#"
    error: cannot read the configuration `/nowhere/c.toml`: No such file or directory (os error 2)
      --> /nowhere/c.toml
      help: name another file with --config, or leave it out to use the defaults
    "#);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("c.toml");
    std::fs::write(&file, [0xff, 0xfe]).unwrap();
    let error = Config::load(Some(&file), &nothing).expect_err("it is no text");
    assert!(error.to_string().contains("no UTF-8 text"), "{error}");
    assert!(Config::load(Some(directory.path()), &nothing).is_err());
}

#[test]
fn text_that_is_no_toml_is_shown_without_what_may_be_a_secret() {
    insta::assert_snapshot!(error("[server]\ndrain = 1s\n"), @r#"
    error: this is no TOML: string values must be quoted, expected literal string
      --> cuegate.toml:2:9
       |
     2 | drain = 1s
       |         ^
    "#);
    insta::assert_snapshot!(error("[iconik]\nauth_token = hunter2\n"), @r#"
    error: this is no TOML: string values must be quoted, expected literal string
      --> cuegate.toml:2:14
       |
     2 | auth_token = ***
       |              ^
    "#);
    insta::assert_snapshot!(error("[iconik]\nauth_token = \"hunter2\n"), @r#"
    error: this is no TOML: invalid basic string, expected `"`
      --> cuegate.toml:2:22
       |
     2 | auth_token = ***
       |                 ^
    "#);
}
