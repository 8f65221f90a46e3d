//! A configuration file as anybody may damage it: every text is read or refused, and nothing secret is shown.
#![no_main]

use std::collections::BTreeMap;
use std::path::Path;

use cuegate::config::{Config, show};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let environment =
        BTreeMap::from([("TOKEN".to_owned(), "a-secret-of-the-environment".to_owned())]);
    let shown = match Config::parse(text, Path::new("cuegate.toml"), &environment) {
        Ok(config) => show(&config),
        Err(error) => error.to_string(),
    };
    // A key that is no secret may be given the secret's value on purpose; its name is in the text then.
    if !text.contains("${TOKEN}") {
        assert!(!shown.contains("a-secret-of-the-environment"));
    }
});
