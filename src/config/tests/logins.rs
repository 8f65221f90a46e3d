//! Which Iconik, how we log in there, and how requests leave this machine.

use super::messages::check_faults;
use super::{environment, error_in, parse, show};
use crate::config::Config;

#[test]
fn every_cloud_is_accepted_and_a_wrong_address_of_one_is_not() {
    for host in [
        "app.iconik.io",
        "eu.iconik.io",
        "us.iconik.io",
        "app.aws.iconik.io",
        "eu.aws.iconik.io",
        "us.aws.iconik.io",
        "preview.iconik.cloud",
    ] {
        let config = parse(&format!("iconik.base_url = \"https://{host}/API/\"")).unwrap();
        assert_eq!(config.iconik.base_url, format!("https://{host}/API"));
        assert_eq!(config.warnings(), [""; 0], "{host}");
    }
    insta::assert_snapshot!(error_in("[iconik]\nbase_url = \"https://eu.iconik.io\"", &[]), @r#"
    error: `iconik.base_url`: Iconik's API begins at /API
      --> cuegate.toml:2:12
       |
     2 | base_url = ***
       |            ^
      help: write "https://eu.iconik.io/API"
    "#);
    check_faults(&[
        (
            "iconik.base_url = \"https://app.iconik.io/api\"",
            "begins at /API",
        ),
        (
            "iconik.base_url = \"https://app.iconik.io/API/assets\"",
            "begins at /API",
        ),
        (
            "iconik.base_url = \"http://app.iconik.io/API\"",
            "readable on their way",
        ),
    ]);
    let unknown = parse("iconik.base_url = \"https://ap.iconik.io/API\"").unwrap();
    let [warning] = &unknown.warnings()[..] else {
        panic!("{:?}", unknown.warnings())
    };
    assert!(
        warning.contains("`ap.iconik.io` is none of Iconik's clouds")
            && warning.contains("eu.aws.iconik.io")
    );
    let elsewhere = parse("iconik.base_url = \"http://127.0.0.1:8090/API\"").unwrap();
    assert_eq!(elsewhere.warnings(), [""; 0]);
}

#[test]
fn client_credentials_are_a_login_of_their_own() {
    let text = "iconik.oauth = { client_id = \"c\", client_secret = \"hunter2\" }";
    let config = parse(text).unwrap();
    config.require_credentials().unwrap();
    let shown = show(&config);
    assert!(
        shown.contains("client_id = \"c\"") && !shown.contains("hunter2"),
        "{shown}"
    );
    assert_eq!(show(&parse(&shown).unwrap()), shown);
    check_faults(&[
        (
            "iconik = { auth_token = \"t\", oauth = { client_id = \"c\", client_secret = \"hunter2\" } }",
            "two ways to log in",
        ),
        (
            "iconik.oauth = { client_secret = \"hunter2\" }",
            "`iconik.oauth.client_id` is missing",
        ),
        (
            "iconik.oauth = { client_id = \"c\" }",
            "`iconik.oauth.client_secret` is missing",
        ),
        (
            "iconik.oauth = { client_id = \" c\", client_secret = \"hunter2\" }",
            "white space",
        ),
        (
            "iconik.oauth = { client_id = \"c\", client_secret = \"s\", scope = \"x\" }",
            "unknown key `iconik.oauth.scope`",
        ),
    ]);
}

#[test]
fn credentials_in_files_are_known_with_their_files() {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [("app", "app-1\n"), ("token", "t\n"), ("secret", "s\n")] {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let file = directory.path().join("cuegate.toml");
    let load = |text: &str| {
        Config::parse(text, &file, &environment(&[]))
            .unwrap()
            .iconik
    };
    let iconik = load("iconik = { app_id_file = \"app\", auth_token_file = \"token\" }");
    let path = |file: &Option<crate::config::SecretFile>| {
        let file = file.as_ref().expect("it came from a file");
        (
            file.key().to_owned(),
            file.read().unwrap()[0].expose().to_owned(),
        )
    };
    assert_eq!(
        path(&iconik.app_id_file),
        ("iconik.app_id_file".to_owned(), "app-1".to_owned())
    );
    assert_eq!(
        path(&iconik.auth_token_file),
        ("iconik.auth_token_file".to_owned(), "t".to_owned())
    );
    let iconik = load("iconik.oauth = { client_id = \"c\", client_secret_file = \"secret\" }");
    let oauth = iconik.oauth.expect("it was given");
    assert_eq!(path(&oauth.client_secret_file).1, "s");
}

#[test]
fn a_proxy_and_authorities_are_checked_when_they_are_read() {
    let config = parse("http.proxy = \"http://me:hunter2@proxy.example:3128\"").unwrap();
    assert!(config.http.outgoing().is_some());
    let shown = show(&config);
    assert!(
        shown.contains("[http]\nproxy = \"http://***\"") && !shown.contains("hunter2"),
        "{shown}"
    );
    check_faults(&[
        (
            "http.proxy = \"proxy.example:3128\"",
            "must begin with http:// or https://",
        ),
        (
            "http.proxy = \"socks5://hunter2@proxy:1080\"",
            "must begin with http:// or https://",
        ),
        (
            "http.proxy = \"http://proxy:3128/path\"",
            "has something after its host and port",
        ),
        (
            "http.ca_file = \"/nowhere/ca.pem\"",
            "cannot read `/nowhere/ca.pem`",
        ),
        ("http.timeout = \"1s\"", "unknown key `http.timeout`"),
    ]);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cuegate.toml");
    let load = |pem: &str| {
        std::fs::write(directory.path().join("ca.pem"), pem).unwrap();
        Config::parse("http.ca_file = \"ca.pem\"", &file, &environment(&[]))
    };
    let one = || {
        rcgen::generate_simple_self_signed(vec!["a.example".to_owned()])
            .unwrap()
            .cert
            .pem()
    };
    assert_eq!(
        load(&format!("{}{}", one(), one())).unwrap().http.ca.len(),
        2
    );
    let error = load("hunter2").unwrap_err().to_string();
    assert!(
        error.contains("holds no certificate") && !error.contains("hunter2"),
        "{error}"
    );
}
