//! Reading a query, from the left to the right.

use regex::Regex;
use serde_json::Value;

use super::{Comparison, Literal, Operator, Query};

/// How deep parentheses may stand in each other.
const DEPTH_MAX: usize = 50;

/// Reads on in a query.
pub(super) struct Reader<'a> {
    rest: &'a str,
    whole: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// At the beginning of the text.
    pub(super) fn of(text: &'a str) -> Self {
        Self {
            rest: text,
            whole: text.len(),
            depth: 0,
        }
    }

    /// The query that the text is.
    pub(super) fn whole(&mut self) -> Result<Query, String> {
        let query = self.any()?;
        self.skip_space();
        match self.rest {
            "" => Ok(query),
            _ => Err(self.complaint("nothing more, or AND or OR")),
        }
    }

    fn any(&mut self) -> Result<Query, String> {
        let mut parts = vec![self.all()?];
        while self.takes_word("OR") {
            parts.push(self.all()?);
        }
        Ok(single(parts, Query::Any))
    }

    fn all(&mut self) -> Result<Query, String> {
        let mut parts = vec![self.one()?];
        loop {
            if !self.takes_word("AND") {
                self.skip_space();
                let ends = self.rest.is_empty() || self.rest.starts_with(')') || self.is_word("OR");
                if ends {
                    return Ok(single(parts, Query::All));
                }
            }
            parts.push(self.one()?);
        }
    }

    fn one(&mut self) -> Result<Query, String> {
        self.skip_space();
        if !self.takes("(") {
            return self.comparison().map(Query::Is);
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!(
                "Parentheses stand deeper than {DEPTH_MAX} in each other"
            ));
        }
        let inner = self.any()?;
        self.skip_space();
        self.depth -= 1;
        match self.takes(")") {
            true => Ok(inner),
            false => Err(self.complaint("a closing parenthesis")),
        }
    }

    fn comparison(&mut self) -> Result<Comparison, String> {
        let name = self.taken_while(|it| it.is_alphanumeric() || "_-.".contains(it));
        let path: Vec<_> = name.split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            return Err(self.complaint("the path of a key"));
        }
        self.skip_space();
        let operators = [
            ("!=", Operator::IsNot),
            ("<=", Operator::AtMost),
            (">=", Operator::AtLeast),
            ("=", Operator::Is),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        let operator = operators.into_iter().find(|(sign, _)| self.takes(sign));
        let Some((_, operator)) = operator else {
            return Err(self.complaint("=, !=, <, >, <= or >="));
        };
        let literal = self.literal()?;
        let is_pattern = matches!(literal, Literal::Pattern(_));
        if is_pattern && !matches!(operator, Operator::Is | Operator::IsNot) {
            return Err("A regular expression takes = or !=".to_owned());
        }
        Ok(Comparison {
            path,
            operator,
            literal,
        })
    }

    fn literal(&mut self) -> Result<Literal, String> {
        self.skip_space();
        if self.rest.starts_with('/') {
            let pattern = self.delimited('/')?;
            let compiled = Regex::new(&pattern);
            let compiled = compiled.map_err(|_| format!("/{pattern}/ is no regular expression"))?;
            return Ok(Literal::Pattern(compiled));
        }
        if self.rest.starts_with('"') {
            return self.delimited('"').map(|text| Literal::Plain(text.into()));
        }
        for (word, value) in [
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("null", Value::Null),
        ] {
            if self.takes_word(word) {
                return Ok(Literal::Plain(value));
            }
        }
        let before = self.rest;
        let number = self.taken_while(|it| it.is_ascii_alphanumeric() || "+-.".contains(it));
        match serde_json::from_str::<Value>(number) {
            Ok(Value::Number(number)) => Ok(Literal::Plain(Value::Number(number))),
            _ => {
                self.rest = before;
                Err(self.complaint("a number, a text in quotes, true, false, null or /…/"))
            }
        }
    }

    /// What stands between two marks; a backslash lets the mark or itself stand for itself. In a regular
    /// expression only the mark loses its backslash.
    fn delimited(&mut self, mark: char) -> Result<String, String> {
        let mut letters = self.rest.char_indices().skip(1);
        let mut text = String::new();
        while let Some((at, letter)) = letters.next() {
            if letter == mark {
                self.rest = &self.rest[at + letter.len_utf8()..];
                return Ok(text);
            }
            if letter != '\\' {
                text.push(letter);
                continue;
            }
            match letters.next() {
                Some((_, next)) if next == mark || (mark == '"' && next == '\\') => text.push(next),
                Some((_, next)) => text.extend(['\\', next]),
                None => break,
            }
        }
        Err(self.complaint(&format!("a closing {mark}")))
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn takes(&mut self, sign: &str) -> bool {
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn is_word(&self, word: &str) -> bool {
        let begins = self.rest.get(..word.len());
        let next = self.rest.get(word.len()..).and_then(|it| it.chars().next());
        begins.is_some_and(|it| it.eq_ignore_ascii_case(word))
            && next.is_none_or(|it| !it.is_alphanumeric() && !"_-.=!<>".contains(it))
    }

    fn takes_word(&mut self, word: &str) -> bool {
        self.skip_space();
        let is_there = self.is_word(word);
        if is_there {
            self.rest = &self.rest[word.len()..];
        }
        is_there
    }

    fn taken_while(&mut self, is_meant: impl Fn(char) -> bool) -> &'a str {
        let end = self
            .rest
            .find(|it| !is_meant(it))
            .unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn complaint(&self, wanted: &str) -> String {
        let at = self.whole - self.rest.len();
        format!("Expected {wanted} at byte {at}")
    }
}

fn single(mut parts: Vec<Query>, join: fn(Vec<Query>) -> Query) -> Query {
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}
