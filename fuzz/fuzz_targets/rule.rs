//! A rule file as its author may write it: the parser and the checks answer, whatever the text, and each
//! finding can be shown. What a text can do to the compiler's time and memory is the worker's affair.
#![no_main]

use cuegate::engine::{EngineLimits, compile};
use cuegate::model::RuleFile;
use libfuzzer_sys::fuzz_target;

const LIMITS: EngineLimits = EngineLimits {
    operations: 10_000,
    string_bytes: 16 * 1024,
    elements: 2_000,
    source_bytes: 32 * 1024,
    log_bytes: 64 * 1024,
};

fuzz_target!(|text: &str| {
    let file = |path: &str, source: &str| RuleFile {
        path: path.to_owned(),
        source: source.to_owned(),
    };
    let files = [file("rule.rhai", text), file("lib/library.rhai", text)];
    for finding in compile(&files, &serde_json::json!({}), &LIMITS).diagnostics {
        assert!(finding.to_string().contains(&finding.file));
    }
});
