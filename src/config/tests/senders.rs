//! Who may send: passwords, addresses, and where foreign senders say what their messages are.

use std::path::Path;

use super::messages::check_faults;
use super::{environment, error_in, parse, show};
use crate::config::{Config, Locator, Verify};

#[test]
fn a_user_and_its_passwords_are_read_from_the_text_and_from_a_file() {
    let text = "sources.a.verify.basic = { user = \"iconik\", passwords = [\"new\", \"old:er\"] }";
    let config = parse(text).unwrap();
    let Verify::Basic { user, passwords } = &config.sources["a"].verify else {
        panic!("{:?}", config.sources["a"]);
    };
    assert_eq!((user.as_str(), passwords.len()), ("iconik", 2));
    assert_eq!(passwords[1].expose(), "old:er");
    assert!(config.sources["a"].secrets_file.is_none());

    let directory = tempfile::tempdir().unwrap();
    let passwords = directory.path().join("passwords");
    std::fs::write(&passwords, "new\nold\n").unwrap();
    let text = "sources.a.verify.basic = { user = \"iconik\", passwords_file = \"passwords\" }";
    let file = directory.path().join("cuegate.toml");
    let config = Config::parse(text, &file, &environment(&[])).unwrap();
    let read_again = config.sources["a"].secrets_file.as_ref().unwrap();
    assert_eq!(read_again.key(), "sources.a.verify.basic.passwords_file");
    assert_eq!(read_again.path(), passwords);
    let texts = || {
        let secrets = read_again.read()?;
        let texts = secrets.iter().map(|secret| secret.expose().to_owned());
        Ok::<Vec<String>, crate::config::SecretFileError>(texts.collect())
    };
    assert_eq!(texts().unwrap(), ["new", "old"]);
    std::fs::write(&passwords, "newest\nnew").unwrap();
    assert_eq!(texts().unwrap(), ["newest", "new"]);
    for (content, wrong) in [
        ("\n", "it is empty"),
        (
            "a\nhunter2\u{7}\n",
            "secret number 1 (counted from 0) has control characters",
        ),
    ] {
        std::fs::write(&passwords, content).unwrap();
        let error = texts().unwrap_err().to_string();
        assert!(
            error.contains(wrong) && !error.contains("hunter2"),
            "{error}"
        );
        assert!(
            error.starts_with("`sources.a.verify.basic.passwords_file`"),
            "{error}"
        );
    }
    std::fs::remove_file(&passwords).unwrap();
    assert!(texts().unwrap_err().to_string().contains("No such file"));
}

#[test]
fn a_login_that_nobody_can_send_is_refused() {
    check_faults(&[
        (
            "sources.a.verify.basic = { passwords = [\"p\"] }",
            "`sources.a.verify.basic.user` is missing",
        ),
        (
            "sources.a.verify.basic = { user = \"a:b\", passwords = [\"p\"] }",
            "`a:b` cannot be a user",
        ),
        (
            "sources.a.verify.basic = { user = \"a\" }",
            "`sources.a.verify.basic.passwords` is missing",
        ),
        (
            "sources.a.verify.basic = { user = \"a\", passwords = [\"hunter2\\u0007\"] }",
            "has control characters",
        ),
        (
            "sources.a.verify = { basic = { user = \"a\", passwords = [\"p\"] }, secrets = [\"hunter2\"] }",
            "`basic` has `passwords`",
        ),
        (
            "sources.a.verify = { header = \"x-s\", secrets = [\"s\"], basic = { user = \"a\", passwords = [\"p\"] } }",
            "it can be one of them",
        ),
        (
            "sources.a.verify.basic = { user = \"a\", passwords = [\"p\"], passwords_file = \"b\" }",
            "given twice",
        ),
    ]);
}

#[test]
fn addresses_are_networks_however_they_are_written() {
    let text = "
        server.trusted_proxies = [\"10.0.0.0/8\", \"fd00::1\"]
        sources.a = { verify = \"none\", allow_ips = [\"192.0.2.7\", \"192.0.2.0/24\", \"2001:db8::/32\", \"::ffff:192.0.2.9\", \"::ffff:198.51.100.0/120\"] }
    ";
    let config = parse(text).unwrap();
    let written = |networks: &[ipnet::IpNet]| -> Vec<String> {
        networks.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        written(&config.server.trusted_proxies),
        ["10.0.0.0/8", "fd00::1/128"]
    );
    assert_eq!(
        written(&config.sources["a"].allow_ips),
        [
            "192.0.2.7/32",
            "192.0.2.0/24",
            "2001:db8::/32",
            "192.0.2.9/32",
            "198.51.100.0/24"
        ]
    );
    assert_eq!(show(&parse(&show(&config)).unwrap()), show(&config));
    assert_eq!(
        config.warnings(),
        [
            "every program at an address in allow_ips that reaches /hooks/a can send events: sources.a.verify is \"none\""
        ]
    );
}

#[test]
fn a_wrong_address_is_shown_where_it_stands() {
    let text = "[sources.a]\nverify = \"none\"\nallow_ips = [\"192.0.2.1\", \"192.0.2.9/24\"]";
    insta::assert_snapshot!(error_in(text, &[]), @r#"
    error: `sources.a.allow_ips[1]`: `192.0.2.9/24` has an address behind its prefix
      --> cuegate.toml:3:27
       |
     3 | allow_ips = ["192.0.2.1", "192.0.2.9/24"]
       |                           ^
      help: write "192.0.2.0/24" for the network, or "192.0.2.9" for the one address
    "#);
    check_faults(&[
        (
            "sources.a = { verify = \"none\", allow_ips = [] }",
            "`sources.a.allow_ips` is empty: nobody could send",
        ),
        (
            "sources.a = { verify = \"none\", allow_ips = [\"localhost\"] }",
            "`localhost` is neither an address nor a network",
        ),
        (
            "sources.a = { verify = \"none\", allow_ips = [\"192.0.2.0/33\"] }",
            "neither an address nor a network",
        ),
        (
            "sources.a = { verify = \"none\", allow_ips = \"192.0.2.1\" }",
            "must be a list of addresses, not a string",
        ),
        (
            "sources.a = { verify = \"none\", allow_ips = [7] }",
            "`sources.a.allow_ips[0]` must be a string",
        ),
        (
            "server.trusted_proxies = [\"0.0.0.0/0\"]",
            "trusts everybody",
        ),
        ("server.trusted_proxies = [\"::/0\"]", "trusts everybody"),
        (
            "sources.a = { verify = \"none\", trusted_proxies = [] }",
            "unknown key `sources.a.trusted_proxies`",
        ),
    ]);
}

#[test]
fn one_address_in_a_variable_needs_no_brackets() {
    let pairs = [("CUEGATE__SERVER__TRUSTED_PROXIES", "10.0.0.1")];
    let config = Config::parse("", Path::new("c.toml"), &environment(&pairs)).unwrap();
    assert_eq!(config.server.trusted_proxies.len(), 1);
}

#[test]
fn a_foreign_sender_says_what_its_message_is_by_pointers_and_headers() {
    let text = "sources.a = { verify = \"none\", event = { type = \"header:X-GitHub-Event\", object = \"/a~1b/0\", id = \"/id\" } }";
    let config = parse(text).unwrap();
    let event = config.sources["a"].event.as_ref().unwrap();
    assert_eq!(event.kind, Locator::Header("x-github-event".to_owned()));
    assert_eq!(event.object, Some(Locator::Body("/a~1b/0".to_owned())));
    assert_eq!(event.id, Some(Locator::Body("/id".to_owned())));
    assert_eq!(show(&parse(&show(&config)).unwrap()), show(&config));
}

#[test]
fn a_place_that_leads_nowhere_or_to_a_secret_is_refused() {
    let at = |event: &str| format!("sources.a = {{ verify = \"none\", event = {event} }}");
    for (text, wrong) in [
        (at("{}"), "`sources.a.event.type` is missing"),
        (at("{ type = \"type\" }"), "neither a JSON pointer nor a header"),
        (at("{ type = \"\" }"), "neither a JSON pointer nor a header"),
        (at("{ type = \"/a~2\" }"), "neither a JSON pointer nor a header"),
        (at("{ type = \"header:x y\" }"), "`x y` is no name of a header"),
        (at("{ type = \"header:Authorization\" }"), "holds a proof"),
        (at("{ typ = \"/type\", type = \"/type\" }"), "did you mean `type`?"),
        (
            "sources.a = { verify = { header = \"X-S\", secrets = [\"s\"] }, event = { type = \"header:x-s\" } }".to_owned(),
            "the header `x-s` holds a proof",
        ),
        (
            "sources.a = { verify.standard_webhooks.secrets = [\"c2VjcmV0\"], event = { type = \"/type\", id = \"/id\" } }".to_owned(),
            "has an id already",
        ),
        (
            "sources.iconik = { verify = \"none\", event = { type = \"/type\" } }".to_owned(),
            "the source of Iconik's own events",
        ),
    ] {
        check_faults(&[(&text, wrong)]);
    }
}
