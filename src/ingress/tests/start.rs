//! What a source's configuration is told before anything listens.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Memory, limits, source, sources, static_secret};
use crate::clock::SystemClock;
use crate::config::Source;
use crate::ingress::{Ingress, SourceError};

#[test]
fn a_source_that_cannot_be_verified_stops_the_start_by_name() {
    let mut sources = sources();
    sources.insert("empty".to_owned(), source(static_secret(&[])));
    let error = build(&sources).unwrap_err().to_string();
    assert!(
        error.starts_with("[sources.empty] verify: `secrets` is empty"),
        "{error}"
    );
}

fn build(sources: &BTreeMap<String, Source>) -> Result<Ingress, SourceError> {
    let clock = Arc::new(SystemClock);
    Ingress::new(sources, Memory::open(), clock, limits(), Arc::default())
}
