//! Configurations as operators write them, and what they are told.

mod admin;
mod excerpts;
mod logins;
mod messages;
mod mutations;
mod sections;
mod senders;
mod targets;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::{Config, ConfigError, EXAMPLE, Retention, SignedPart, Verify, show};

fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    parse_in(text, &[])
}

fn parse_in(text: &str, pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("cuegate.toml"), &environment(pairs))
}

fn error_in(text: &str, pairs: &[(&str, &str)]) -> String {
    parse_in(text, pairs).expect_err("it is wrong").to_string()
}

/// The example with every key taken out of its comment.
fn uncommented_example() -> String {
    EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') => key,
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect()
}

#[test]
fn an_empty_file_and_the_example_are_the_defaults() {
    let default = show(&Config::default());
    assert_eq!(show(&parse("").unwrap()), default);
    assert_eq!(show(&parse(EXAMPLE).unwrap()), default);
}

#[test]
fn every_key_of_the_example_is_accepted_and_shows_its_default() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("signed-secrets.txt"), "new\nold\n").unwrap();
    let authority = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
    std::fs::write(directory.path().join("ca.pem"), authority.cert.pem()).unwrap();
    let environment = environment(&[
        ("ICONIK_APP_ID", "app"),
        ("ICONIK_AUTH_TOKEN", "token"),
        ("CUEGATE_HOOK_SECRET", "s3cret"),
        ("STANDARD_WEBHOOKS_SECRET", "whsec_c2VjcmV0"),
        ("HOOK_PASSWORD", "passw0rd"),
        ("FRAMEIO_SECRET", "k"),
        ("SLACK_WEBHOOK_URL", "https://slack.example/services/t0ken"),
        ("CUEGATE_ADMIN_TOKEN", "a-token-of-some-length"),
        ("CUEGATE_SEAL_KEY", &"5e".repeat(32)),
    ]);
    let file = directory.path().join("cuegate.toml");
    let mut config = Config::parse(&uncommented_example(), &file, &environment).unwrap();

    assert_eq!(config.sources.len(), 6);
    assert_eq!(
        config.server.public_url.as_deref(),
        Some("https://hooks.example.com")
    );
    assert_eq!(config.vars["share_channel"], "#shares");
    let Verify::Hmac(hmac) = &config.sources["signed"].verify else {
        panic!("{:?}", config.sources["signed"]);
    };
    assert_eq!(hmac.secrets.len(), 2);
    assert_eq!(hmac.signed[0], SignedPart::Literal("v0".to_owned()));
    let target = parse("egress.slack.url = \"https://slack.example/\"").unwrap();
    assert_eq!(
        show(&with_targets_only(&config)),
        show(&with_targets_only(&target)),
        "a target's keys show their defaults too"
    );

    config.sources.clear();
    config.egress.clear();
    config.vars.clear();
    assert_eq!(config.server.admin_tokens.len(), 1);
    assert_eq!(config.http.ca.len(), 1);
    config.http = crate::config::Http::default();
    config.server.public_url = None;
    config.server.admin_tokens.clear();
    assert!(config.server.seal_key.take().is_some());
    config.iconik.app_id = String::new();
    config.iconik.auth_token = crate::model::Secret::new("");
    assert_eq!(show(&config), show(&Config::default()));
}

fn with_targets_only(config: &Config) -> Config {
    Config {
        egress: config.egress.clone(),
        ..Config::default()
    }
}

#[test]
fn every_key_that_is_shown_is_in_the_example() {
    let target = parse("egress.slack.url = \"https://slack.example/\"").unwrap();
    for line in show(&Config::default())
        .lines()
        .chain(
            show(&target)
                .split("[egress.slack]\n")
                .nth(1)
                .unwrap()
                .lines(),
        )
        .filter(|line| !line.is_empty())
    {
        let key = line.split(" = ").next().unwrap();
        assert!(
            EXAMPLE.contains(&format!("\n#{key} =")) || EXAMPLE.contains(&format!("\n{key}\n")),
            "{key}"
        );
    }
}

/// Something of every section.
const OF_EVERYTHING: &str = r##"
        [server]
        public_url = "https://hooks.example.com/"
        admin_listen = "0.0.0.0:8081"
        admin_tokens = ["the-newest-of-two-tokens", "the-other-of-two-tokens"]
        [iconik]
        app_id = "app"
        auth_token = "token"
        [sources.iconik]
        verify = { header = "X-Secret", secrets = ["one", "two"] }
        [sources.other]
        verify = { hmac = { header = "x-sig", signed = ["body", "$${LITERAL}"], secrets = ["k"] } }
        [egress.desk]
        url = "http://desk.example:8000/in?key=hunter2"
        headers = { Authorization = "Bearer hunter2" }
        uncertain = "drop"
        allow_private = true
        max_answer = "64KiB"
        [vars]
        title = "costs $${5} and a \"quote\""
        nested = { list = [1, 2.5, true] }
    "##;

#[test]
fn what_is_shown_reads_back_as_the_same_configuration() {
    let shown = show(&parse(OF_EVERYTHING).unwrap());
    assert_eq!(show(&parse(&shown).unwrap()), shown);
    insta::assert_snapshot!(shown, @r#"
    [server]
    listen = "0.0.0.0:8080"
    admin_listen = "0.0.0.0:8081"
    public_url = "https://hooks.example.com"
    trusted_proxies = []
    drain = "50s"
    admin_tokens = ["******************", "******************"]
    metrics = "token"

    [store]
    url = "sqlite:data/cuegate.db"
    retention = { events = "90d", journals = "90d", max_size = "20GB", min_free = "1GB" }
    allow_network_fs = false

    [iconik]
    base_url = "https://app.iconik.io/API"
    domain = ""
    app_id = "app"
    auth_token = "***"
    rate = { per_20s = 900, per_second = 45 }
    timeout = "30s"
    index_lag = "1m30s"
    job_poll = "5s"
    instance = ""
    skip_own = false
    webhook_check = "10m"

    [rules]
    dir = "rules"

    [sandbox]
    workers = 2
    memory = "128MiB"
    cpu = "2s"
    wall = "20s"
    operations = 100000
    string = "16KiB"
    elements = 2000
    source = "32KiB"
    compile = "1s"
    log = "64KiB"

    [limits]
    body = "1MiB"
    headers = "32KiB"
    connections = 1024
    request = "10s"
    loop = { runs = 10, within = "10m" }

    [sources.iconik]
    verify = { header = "x-secret", secrets = ["***", "***"] }
    dedup_window = "1d"

    [sources.other]
    verify = { hmac = { algorithm = "sha256", encoding = "hex", header = "x-sig", prefix = "", secrets = ["***"], separator = ":", signed = ["body", "$${LITERAL}"], tolerance = "5m" } }
    dedup_window = "1d"

    [egress.desk]
    url = "http://***"
    headers = { authorization = "***" }
    uncertain = "drop"
    timeout = "30s"
    allow_private = true
    max_answer = "64KiB"

    [vars]
    nested = { list = [1, 2.5, true] }
    title = 'costs $${5} and a "quote"'
    "#);
}

#[test]
fn the_environment_fills_variables_in_and_overrides_keys() {
    let text = "
        [server]
        listen = \"${ADDRESS}\"
        drain = \"10s\"
        [iconik]
        auth_token_file = \"nowhere\"
        [vars]
        Channel = \"#a\"
    ";
    let pairs = [
        ("ADDRESS", "127.0.0.1:9000"),
        ("CUEGATE__SERVER__DRAIN", "1m"),
        ("CUEGATE__SANDBOX__WORKERS", "7"),
        ("CUEGATE__ICONIK__APP_ID", "12345"),
        ("CUEGATE__ICONIK__AUTH_TOKEN", "${not a variable}"),
        ("CUEGATE__ICONIK__RATE", "{ per_second = 3 }"),
        ("CUEGATE__SOURCES__ICONIK__VERIFY__HEADER", "X-Secret"),
        (
            "CUEGATE__SOURCES__ICONIK__VERIFY__SECRETS",
            "[\"one\", \"two\"]",
        ),
        ("CUEGATE__SOURCES__OTHER__VERIFY", "none"),
        ("CUEGATE__VARS__CHANNEL", "#b"),
        ("CUEGATE_LOG", "debug"),
    ];
    let config = parse_in(text, &pairs).unwrap();
    assert_eq!(config.server.listen.port(), 9000);
    assert_eq!(config.server.drain, Duration::from_secs(60));
    assert_eq!(config.sandbox.workers, 7);
    assert_eq!(config.iconik.app_id, "12345");
    assert_eq!(config.iconik.auth_token.expose(), "${not a variable}");
    assert_eq!(config.iconik.rate.per_second, 3);
    assert_eq!(config.iconik.rate.per_20s, 900);
    let Verify::Header { header, secrets } = &config.sources["iconik"].verify else {
        panic!("{:?}", config.sources["iconik"]);
    };
    assert_eq!((header.as_str(), secrets.len()), ("x-secret", 2));
    assert_eq!(secrets[1].expose(), "two");
    assert_eq!(config.vars.len(), 1);
    assert_eq!(config.vars["Channel"], "#b");
    assert_eq!(
        config.warnings(),
        ["anybody who reaches /hooks/other can send events: sources.other.verify is \"none\""]
    );
}

#[test]
fn a_variable_with_one_secret_needs_no_brackets_whatever_it_looks_like() {
    for secret in ["plain", "12345", "true", "1979-05-27", "[", "a = b"] {
        let pairs = [
            ("CUEGATE__SOURCES__X__VERIFY__HEADER", "x-secret"),
            ("CUEGATE__SOURCES__X__VERIFY__SECRETS", secret),
        ];
        let config = parse_in("", &pairs).unwrap();
        let Verify::Header { secrets, .. } = &config.sources["x"].verify else {
            panic!("{:?}", config.sources["x"]);
        };
        assert_eq!(secrets.len(), 1, "{secret}");
        assert_eq!(secrets[0].expose(), secret);
    }
}

#[test]
fn a_file_beside_the_configuration_holds_a_secret() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("token"),
        "from file \r\n".replace(' ', "_"),
    )
    .unwrap();
    std::fs::write(directory.path().join("hooks"), "new\n\nold").unwrap();
    std::fs::write(directory.path().join("url"), "https://desk.example/t0ken\n").unwrap();
    std::fs::write(directory.path().join("key"), "Bearer t0ken\n").unwrap();
    let text = "
        [iconik]
        auth_token_file = \"token\"
        [sources.iconik.verify]
        header = \"x-secret\"
        secrets_file = \"hooks\"
        [egress.desk]
        url_file = \"url\"
        headers.authorization_file = \"key\"
    ";
    std::fs::write(directory.path().join("cuegate.toml"), text).unwrap();
    let file = directory.path().join("cuegate.toml");
    let config = Config::load(Some(&file), &environment(&[])).unwrap();
    assert_eq!(config.iconik.auth_token.expose(), "from_file_");
    let Verify::Header { secrets, .. } = &config.sources["iconik"].verify else {
        panic!("{:?}", config.sources["iconik"]);
    };
    let secrets: Vec<&str> = secrets.iter().map(crate::model::Secret::expose).collect();
    assert_eq!(secrets, ["new", "old"]);
    let desk = &config.egress["desk"];
    assert_eq!(desk.url.expose(), "https://desk.example/t0ken");
    assert_eq!(desk.headers["authorization"].expose(), "Bearer t0ken");
}

#[test]
fn credentials_are_asked_for_only_when_they_are_needed() {
    let config = parse("[iconik]\nauth_token = \"t0ken\"").unwrap();
    let error = config.require_credentials().expect_err("app_id is missing");
    assert_eq!(error.findings().len(), 1);
    insta::assert_snapshot!(error, @r#"
    error: `iconik.app_id` is missing: Iconik answers nobody without it
      help: add `app_id = "${ICONIK_APP_ID}"` or `app_id_file = "path"` to [iconik], or set CUEGATE__ICONIK__APP_ID; or log in by `oauth`
    "#);
    let config = parse("[iconik]\nauth_token = \"t0ken\"\napp_id = \"a\"").unwrap();
    config.require_credentials().unwrap();
}

#[test]
fn nothing_that_prints_a_configuration_prints_a_secret() {
    let config = parse(
        "iconik.auth_token = \"hunter2\"\nsources.a.verify = { header = \"x-s\", secrets = [\"hunter2\"] }\n\
         egress.a = { url = \"https://hunter2/hunter2\", headers = { x-key = \"hunter2\" } }",
    )
    .unwrap();
    assert!(!show(&config).contains("hunter2"));
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn retention_is_read_key_by_key_and_the_rest_stays() {
    let text =
        "[store]\nallow_network_fs = true\nretention = { journals = \"7d\", min_free = \"0B\" }";
    let store = parse(text).unwrap().store;
    assert!(store.allow_network_fs);
    let default = Retention::default();
    assert_eq!(store.retention.events, default.events);
    assert_eq!(store.retention.max_size, default.max_size);
    assert_eq!(store.retention.journals, Duration::from_secs(7 * 86_400));
    assert_eq!(store.retention.min_free, 0);
    let error = parse("[store]\nallow_network_fs = \"yes\"").unwrap_err();
    assert!(error.to_string().contains("true or false"), "{error}");
    let overridden = parse_in("", &[("CUEGATE__STORE__ALLOW_NETWORK_FS", "true")]).unwrap();
    assert!(overridden.store.allow_network_fs);
}
