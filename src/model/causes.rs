//! What an error of a library was caused by, for people.

use std::error::Error;

/// What has caused an error, in one line. The error itself is left out, because that of an HTTP client names the address,
/// which may hold a secret.
pub fn causes(error: &dyn Error) -> String {
    let mut line = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Many wrappers repeat what they wrap.
        if !line.contains(&text) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&text);
        }
        cause = error.source();
    }
    if line.is_empty() {
        line.push_str("unknown trouble");
    }
    line
}
