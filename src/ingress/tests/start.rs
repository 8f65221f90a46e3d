//! What a source's configuration is told before anything listens.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::{Memory, limits, source, sources, static_secret};
use crate::clock::SystemClock;
use crate::config::Source;
use crate::ingress::{Ingress, SourceError};

#[test]
fn a_source_that_anybody_may_send_to_is_warned_about_by_name() {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        build(&sources()).expect("sources that can be used");
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.contains("WARN") && text.contains(r#"source="open""#),
        "{text}"
    );
}

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
