//! The words of a search: `goal "world cup" status:ACTIVE AND NOT type:SUBCLIP`.
//!
//! "Lucene-like" is all that is published; clients write `_exists_:field`, `field:"value"`, `AND NOT` and
//! `*`. Words beside each other must all be there, which is inferred. What this simulator would have to
//! guess at (weights, likeness, regular expressions) it refuses.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::Offset;
use regex::Regex;

use super::super::refusal::Refusal;
use super::super::table::Document;
use super::condition::{Condition, Ends, Wanted, tokens};
use super::field::Field;
use super::lexer::{Said, Token, lexed};

/// The most parentheses inside each other.
const DEPTH_MAX: usize = 30;

/// The condition of a query; words without a field are looked for in these fields.
///
/// # Errors
///
/// 400 for what cannot be read or is not carried out.
pub(super) fn condition(
    query: &str,
    fields: &[&str],
    known: &BTreeMap<String, Arc<Document>>,
) -> Result<Condition, Refusal> {
    let tokens = lexed(query)?;
    let mut reader = Reader {
        tokens: tokens.into_iter().peekable(),
        fields,
        known,
        depth: 0,
    };
    let condition = reader.choice()?;
    match reader.tokens.next() {
        None => Ok(condition),
        Some(_) => Err(wrong("a parenthesis is closed that was not opened")),
    }
}

/// The refusal of a query.
pub(super) fn wrong(message: &str) -> Refusal {
    Refusal::invalid("query", message)
}

struct Reader<'a> {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    fields: &'a [&'a str],
    known: &'a BTreeMap<String, Arc<Document>>,
    depth: usize,
}

impl Reader<'_> {
    fn choice(&mut self) -> Result<Condition, Refusal> {
        let mut parts = vec![self.together()?];
        while self.tokens.next_if(|it| matches!(it, Token::Or)).is_some() {
            parts.push(self.together()?);
        }
        if parts.len() == 1 {
            return Ok(parts.remove(0));
        }
        let is_empty = |part: &Condition| matches!(part, Condition::All(all) if all.is_empty());
        if parts.iter().any(is_empty) {
            return Err(wrong("something is missing beside OR"));
        }
        Ok(Condition::Any(parts))
    }

    fn together(&mut self) -> Result<Condition, Refusal> {
        let mut parts = Vec::new();
        while let Some(token) = self.tokens.peek() {
            match token {
                Token::Or | Token::Close => break,
                Token::And => drop(self.tokens.next()),
                _ => parts.push(self.one()?),
            }
        }
        Ok(Condition::All(parts))
    }

    fn one(&mut self) -> Result<Condition, Refusal> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(wrong("too many parentheses or negations inside each other"));
        }
        let condition = match self.tokens.next() {
            Some(Token::Not) => Condition::No(vec![self.one()?]),
            Some(Token::Open) => {
                let inner = self.choice()?;
                match self.tokens.next() {
                    Some(Token::Close) => inner,
                    _ => return Err(wrong("a parenthesis is not closed")),
                }
            }
            Some(Token::Clause { field, said }) => self.clause(field.as_deref(), said)?,
            _ => return Err(wrong("something is missing after an operator")),
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn clause(&self, field: Option<&str>, said: Said) -> Result<Condition, Refusal> {
        let named = |name: &str| Field::named(name, self.known);
        match (field, said) {
            (None, Said::Word { text, .. }) if text == "*" => Ok(Condition::All(Vec::new())),
            (None, said) => {
                let mut parts = Vec::new();
                for name in self.fields {
                    parts.push(spoken(named(name), &said)?);
                }
                // Clients look for an object by its id, too.
                if let Said::Word { text, .. } | Said::Phrase(text) = &said {
                    parts.push(Condition::Is(named("id"), vec![Wanted::of(text)]));
                }
                Ok(Condition::Any(parts))
            }
            (Some("_exists_"), Said::Word { text, .. }) => Ok(Condition::Exists(named(&text))),
            (Some("_missing_"), Said::Word { text, .. }) => {
                Ok(Condition::No(vec![Condition::Exists(named(&text))]))
            }
            (Some(name), Said::Between { min, max }) => {
                let ends = Ends::of(Some(&min), Some(&max), Offset::UTC);
                Ok(Condition::Within(named(name), ends))
            }
            (Some(name), Said::Word { text, .. }) if text == "*" => {
                Ok(Condition::Exists(named(name)))
            }
            (Some(name), said) => {
                let whole = match &said {
                    Said::Word { text, wild: true } => {
                        Condition::Looks(named(name), pattern(text)?)
                    }
                    Said::Word { text, .. } | Said::Phrase(text) => {
                        Condition::Is(named(name), vec![Wanted::of(text)])
                    }
                    Said::Between { .. } => return Err(wrong("a range needs a field")),
                };
                if named(name).is_prose {
                    Ok(Condition::Any(vec![whole, spoken(named(name), &said)?]))
                } else {
                    Ok(whole)
                }
            }
        }
    }
}

/// The words that must stand in the field.
fn spoken(field: Field, said: &Said) -> Result<Condition, Refusal> {
    let words = match said {
        Said::Word { text, wild: true } => vec![pattern(&text.to_lowercase())?],
        Said::Word { text, .. } | Said::Phrase(text) => {
            let words = tokens(text).map(literal);
            words.collect::<Result<Vec<_>, _>>()?
        }
        Said::Between { .. } => return Err(wrong("a range needs a field")),
    };
    // A word of punctuation alone says nothing.
    Ok(match words.is_empty() {
        true => Condition::All(Vec::new()),
        false => Condition::Says(field, words),
    })
}

fn literal(word: &str) -> Result<Regex, Refusal> {
    regex(&format!("(?i)^{}$", regex::escape(word)))
}

/// `*` for any characters, `?` for one.
fn pattern(wild: &str) -> Result<Regex, Refusal> {
    let parts = wild.chars().map(|c| match c {
        '*' => ".*".to_owned(),
        '?' => ".".to_owned(),
        c => regex::escape(c.encode_utf8(&mut [0; 4])),
    });
    regex(&format!("(?is)^{}$", parts.collect::<String>()))
}

fn regex(text: &str) -> Result<Regex, Refusal> {
    Regex::new(text).map_err(|_| wrong("a word is too long"))
}
