//! Log lines: for people on a terminal, for machines anywhere else.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// What is logged when nothing is said: our own events, and trouble of others.
const DEFAULT_FILTER: &str = "warn,cuegate=info";

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Coloured text.
    Human,
}

impl LogFormat {
    /// Text if standard output is a terminal, else JSON.
    pub fn detect() -> Self {
        if std::io::stdout().is_terminal() {
            Self::Human
        } else {
            Self::Json
        }
    }
}

/// Why logging could not begin.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error(
        "CUEGATE_LOG: `{filter}` is no log filter: {error}; write \"info\", or \"warn,cuegate=debug\""
    )]
    Filter {
        /// The filter as it was given.
        filter: String,
        /// What is wrong with it.
        error: ParseError,
    },
    /// Something else in this process logs already.
    #[error("logging has begun already: {0}")]
    Begun(String),
}

/// Begins logging to standard output.
///
/// `filter` is the value of `CUEGATE_LOG`, in the form that `RUST_LOG` made known; without one, our own events
/// from `info` and those of libraries from `warn` are logged.
///
/// # Errors
///
/// A filter that cannot be read, or logging that has begun before.
pub fn init(format: LogFormat, filter: Option<&str>) -> Result<(), TelemetryError> {
    let filter = parse_filter(filter)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter);
    match format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .try_init(),
        LogFormat::Human => lines.with_target(false).try_init(),
    }
    .map_err(|error| TelemetryError::Begun(error.to_string()))
}

fn parse_filter(filter: Option<&str>) -> Result<EnvFilter, TelemetryError> {
    let filter = filter
        .filter(|filter| !filter.trim().is_empty())
        .unwrap_or(DEFAULT_FILTER);
    EnvFilter::builder()
        .parse(filter)
        .map_err(|error| TelemetryError::Filter {
            filter: filter.to_owned(),
            error,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        assert_eq!(
            parse_filter(None).unwrap().to_string(),
            parse_filter(Some(" ")).unwrap().to_string()
        );
        assert!(parse_filter(Some("debug,hyper=off")).is_ok());
        let error = parse_filter(Some("cuegate=loud")).expect_err("no level");
        assert!(error.to_string().contains("`cuegate=loud`"), "{error}");
    }

    #[test]
    fn logging_begins_once() {
        // Another test may have been first.
        let _ = init(LogFormat::Human, Some("off"));
        let again = init(LogFormat::Json, Some("off"));
        assert!(matches!(again, Err(TelemetryError::Begun(_))));
    }
}
