//! Trouble as people write it: in a seed, on the command line, or to a running simulator.

use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{Matching, Trouble};
use crate::model::{Method, parse_duration};

/// A fault in words: `POST assets/v1/assets/* answer=503 times=3`.
///
/// First the method, or `*` for any; then the path below `/API/`, in which `*` stands for one segment and a
/// last `**` for all that follow; then what goes wrong: `lose_request`, `lose_answer`, `half_body`,
/// `not_json`, `slow=2s`, `answer=503` or `answer_afterwards=503`; then, unless it is once, how often.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct WrittenFault {
    /// Which requests meet it.
    pub matching: Matching,
    /// How many of them.
    pub times: u32,
    /// What goes wrong with each.
    pub trouble: Trouble,
}

impl TryFrom<String> for WrittenFault {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for WrittenFault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let missing = || format!("`{text}` is no fault: write METHOD PATH TROUBLE [times=N]");
        let method = words.next().ok_or_else(missing)?;
        let path = words.next().ok_or_else(missing)?;
        let trouble = trouble(words.next().ok_or_else(missing)?)?;
        let times = match words.next().map(|word| word.strip_prefix("times=")) {
            None => 1,
            Some(Some(times)) => times.parse().map_err(|_| missing())?,
            Some(None) => return Err(missing()),
        };
        if words.next().is_some() {
            return Err(missing());
        }
        Ok(Self {
            matching: Matching::written(method_of(method)?, path),
            times,
            trouble,
        })
    }
}

fn method_of(word: &str) -> Result<Option<Method>, String> {
    let methods = [
        Method::Get,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
    ];
    if word == "*" {
        return Ok(None);
    }
    let found = methods.into_iter().find(|it| it.as_str() == word);
    let unknown = || format!("`{word}` is no method: write GET, POST, PUT, PATCH, DELETE or *");
    found.map(Some).ok_or_else(unknown)
}

fn trouble(word: &str) -> Result<Trouble, String> {
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    let status = || match value.parse::<u16>() {
        Ok(status @ 200..=599) => Ok(status),
        _ => Err(format!("`{value}` is no status of an answer")),
    };
    let (body, retry_after): (Value, Option<Duration>) = (Value::Null, None);
    match name {
        "lose_request" => Ok(Trouble::LoseRequest),
        "lose_answer" => Ok(Trouble::LoseAnswer),
        "half_body" => Ok(Trouble::HalfBody),
        "not_json" => Ok(Trouble::NotJson),
        "slow" => parse_duration(value).map(Trouble::Slow),
        "answer" => Ok(Trouble::Answer {
            status: status()?,
            body,
            retry_after,
        }),
        "answer_afterwards" => Ok(Trouble::AnswerAfterwards {
            status: status()?,
            body,
            retry_after,
        }),
        _ => Err(format!(
            "`{name}` is no trouble: write lose_request, lose_answer, half_body, not_json, slow=TIME, \
             answer=STATUS or answer_afterwards=STATUS"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_as_it_is_written() {
        let fault: WrittenFault = "POST assets/v1/assets/*/segments/ answer=503 times=3"
            .parse()
            .unwrap();
        assert_eq!(fault.times, 3);
        assert!(matches!(fault.trouble, Trouble::Answer { status: 503, .. }));
        assert!(
            fault
                .matching
                .matches("POST", "assets/v1/assets/1/segments/")
        );
        assert!(!fault.matching.matches("POST", "assets/v1/assets/1/"));
        assert!(
            !fault
                .matching
                .matches("GET", "assets/v1/assets/1/segments/")
        );
        let below: WrittenFault = "* files/v1/** slow=2s".parse().unwrap();
        assert!(below.matching.matches("DELETE", "files/v1/storages/1/"));
        assert!(!below.matching.matches("GET", "assets/v1/assets/"));
        assert_eq!(below.times, 1);
    }

    #[test]
    fn what_is_no_fault_says_what_would_be_one() {
        for (wrong, says) in [
            ("POST", "write METHOD PATH TROUBLE"),
            ("FETCH a/ lose_answer", "is no method"),
            ("GET a/ explode", "is no trouble"),
            ("GET a/ answer=99", "is no status"),
            ("GET a/ slow=soon", "is no duration"),
            ("GET a/ lose_answer often", "write METHOD PATH TROUBLE"),
        ] {
            let error = wrong.parse::<WrittenFault>().unwrap_err();
            assert!(error.contains(says), "{wrong}: {error}");
        }
    }
}
