//! What a rule may add to a target's URL and headers, and what it may not.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::config::OnUncertain;
use crate::model::{Method, Secret};

fn config(url: &str) -> config::Egress {
    config::Egress {
        url: Secret::new(url),
        url_file: None,
        header_files: BTreeMap::new(),
        headers: BTreeMap::from([(
            "authorization".to_owned(),
            Secret::new("Bearer t0ken-of-desk"),
        )]),
        uncertain: OnUncertain::Park,
        timeout: Duration::from_secs(30),
        allow_private: false,
        max_answer: 1 << 20,
    }
}

fn target(url: &str) -> Target {
    Target::new("desk", &config(url)).expect("a target")
}

fn call(path: &str) -> EgressCall {
    EgressCall {
        target: "desk".to_owned(),
        method: Method::Post,
        path: path.to_owned(),
        query: BTreeMap::new(),
        headers: BTreeMap::new(),
        body: None,
        position: None,
    }
}

#[test]
fn a_path_cannot_lead_out_of_the_target() {
    let target = target("https://desk.example/hooks/in");
    for path in [
        "//evil.example/",
        "///evil.example",
        "http://evil.example/",
        "..",
        "../admin",
        "a/../../../admin",
        "./a",
        "%2e%2E/admin",
        "%252e%252e/admin",
        "%25252525252e%25252525252e/admin",
        "a/..%2fadmin",
        "a%2f..%2f..%2fadmin",
        "..%5cadmin",
        "..\\admin",
        "..;/admin",
        "..;x=1/admin",
        "%2f%2fevil.example",
        "a//b",
        "a?x=1",
        "a#x",
        "a\r\nHost: evil",
        "a\tb",
    ] {
        let error = target.url(&call(path)).expect_err(path);
        assert!(matches!(error, EgressError::Malformed { .. }), "{path}");
    }
}

#[test]
fn a_path_is_added_to_the_path_of_the_target() {
    for (base, path, expected) in [
        ("https://desk.example", "", "https://desk.example/"),
        ("https://desk.example", "a", "https://desk.example/a"),
        ("https://desk.example/in", "", "https://desk.example/in"),
        ("https://desk.example/in/", "", "https://desk.example/in/"),
        (
            "https://desk.example/in",
            "/a/b/",
            "https://desk.example/in/a/b/",
        ),
        ("https://desk.example/in/", "a", "https://desk.example/in/a"),
        (
            "https://desk.example/in?key=K",
            "a",
            "https://desk.example/in/a?key=K",
        ),
        (
            "https://desk.example/in",
            "a b..c",
            "https://desk.example/in/a%20b..c",
        ),
        (
            "https://desk.example/in",
            "a%20b",
            "https://desk.example/in/a%20b",
        ),
        (
            "https://desk.example/in",
            "100%",
            "https://desk.example/in/100%",
        ),
        (
            "https://desk.example:444/in",
            "@evil",
            "https://desk.example:444/in/@evil",
        ),
        (
            "https://desk.example/in",
            ":80/",
            "https://desk.example/in/:80/",
        ),
        (
            "https://desk.example/in",
            "ä",
            "https://desk.example/in/%C3%A4",
        ),
    ] {
        let url = target(base).url(&call(path)).expect(path);
        assert_eq!(url.as_str(), expected, "{base} {path}");
    }
}

#[test]
fn query_parameters_are_added_and_the_targets_own_cannot_be_replaced() {
    let target = target("https://desk.example/in?key=K%26R");
    let mut asked = call("a");
    asked.query = BTreeMap::from([("q".to_owned(), "x&key=evil #".to_owned())]);
    assert_eq!(
        target.url(&asked).unwrap().as_str(),
        "https://desk.example/in/a?key=K%26R&q=x%26key%3Devil+%23"
    );
    asked.query.insert("key".to_owned(), "evil".to_owned());
    let error = target.url(&asked).unwrap_err().to_string();
    assert!(error.contains("`key`") && !error.contains("K&R"), "{error}");
}

#[test]
fn a_rule_sets_its_own_headers_and_no_others() {
    let target = target("https://desk.example/");
    let with = |name: &str, value: &str| {
        let mut call = call("");
        call.headers.insert(name.to_owned(), value.to_owned());
        target.headers(&call)
    };
    let headers = with("x-kind", "news").unwrap();
    assert_eq!(headers["x-kind"], "news");
    assert_eq!(headers["authorization"], "Bearer t0ken-of-desk");
    for (name, value) in [
        ("authorization", "Bearer mine"),
        ("Authorization", "Bearer mine"),
        ("host", "evil.example"),
        ("content-length", "1"),
        ("transfer-encoding", "chunked"),
        ("x y", "1"),
        ("x", "a\r\nhost: evil.example"),
    ] {
        let error = with(name, value).expect_err(name);
        assert!(matches!(error, EgressError::Malformed { .. }), "{name}");
    }
}

#[test]
fn an_address_that_is_not_public_is_refused_unless_it_is_allowed() {
    for url in [
        "http://127.0.0.1:9/",
        "http://[::1]/",
        "http://169.254.169.254/latest/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::ffff:10.0.0.1]/",
    ] {
        let mut config = config(url);
        let refused = Target::new("desk", &config);
        assert!(
            matches!(refused, Err(SetupError::NotPublic { .. })),
            "{url}"
        );
        config.allow_private = true;
        assert!(Target::new("desk", &config).is_ok(), "{url}");
    }
    assert!(Target::new("desk", &config("https://1.1.1.1/")).is_ok());
}

#[test]
fn a_redirect_stays_at_the_same_scheme_host_and_port() {
    let target = target("https://desk.example/in");
    let from = Url::parse("https://desk.example/in/a").unwrap();
    let follow = |to: &str| {
        let to = HeaderValue::from_str(to).unwrap();
        target.redirected(&from, &to).map(|url| url.to_string())
    };
    assert_eq!(follow("b").as_deref(), Some("https://desk.example/in/b"));
    assert_eq!(follow("/b").as_deref(), Some("https://desk.example/b"));
    assert_eq!(
        follow("https://desk.example:443/b").as_deref(),
        Some("https://desk.example/b")
    );
    for elsewhere in [
        "http://desk.example/in",
        "https://desk.example:444/in",
        "https://evil.example/in",
        "//evil.example/in",
        "https://desk.example.evil.example/",
        "https://me:pass@desk.example/",
        "file:///etc/passwd",
        "http://169.254.169.254/",
    ] {
        assert_eq!(follow(elsewhere), None, "{elsewhere}");
    }
}

#[test]
fn what_a_target_says_is_shown_without_the_secrets_that_it_repeats() {
    let target = target("https://desk.example/services/T000B000/x?sig=s1gnature");
    let shown = target.redacted(
        "POST /services/T000B000/x sig s1gnature: t0ken-of-desk (Bearer t0ken-of-desk) is down at \
         https://desk.example/services/T000B000/x?sig=s1gnature",
    );
    for secret in ["T000B000", "s1gnature", "t0ken-of-desk"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("is down"), "{shown}");
}
