//! The pieces that the words of a search consist of.

use std::iter::Peekable;
use std::str::Chars;

use super::super::refusal::Refusal;
use super::query::wrong;

/// A piece of a query.
#[derive(Debug, PartialEq)]
pub(super) enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Clause { field: Option<String>, said: Said },
}

/// What a clause says.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// A word; `wild` if it has `*` or `?` in it that no backslash takes back.
    Word { text: String, wild: bool },
    /// What stood in quotes.
    Phrase(String),
    /// `[min TO max]`.
    Between { min: String, max: String },
}

/// The pieces of a query.
///
/// # Errors
///
/// 400 for what cannot be read or is not carried out.
pub(super) fn lexed(query: &str) -> Result<Vec<Token>, Refusal> {
    let mut rest = query.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(&next) = rest.peek() {
        match next {
            c if c.is_whitespace() => drop(rest.next()),
            '(' => tokens.push(single(&mut rest, Token::Open)),
            ')' => tokens.push(single(&mut rest, Token::Close)),
            '-' | '!' => tokens.push(single(&mut rest, Token::Not)),
            '+' => drop(rest.next()),
            _ => tokens.push(clause(&mut rest)?),
        }
    }
    Ok(tokens)
}

fn single(rest: &mut Peekable<Chars<'_>>, token: Token) -> Token {
    rest.next();
    token
}

fn clause(rest: &mut Peekable<Chars<'_>>) -> Result<Token, Refusal> {
    let said = said(rest, true)?;
    let field = match &said {
        Said::Word { text, .. } if rest.next_if_eq(&':').is_some() => text.clone(),
        Said::Word { text, wild: false } => {
            return Ok(match text.as_str() {
                "AND" | "&&" => Token::And,
                "OR" | "||" => Token::Or,
                "NOT" => Token::Not,
                _ => Token::Clause { field: None, said },
            });
        }
        _ => return Ok(Token::Clause { field: None, said }),
    };
    match rest.peek() {
        None => Err(wrong("a value is missing after a colon")),
        Some('(' | '<' | '>' | '/') => Err(wrong(
            "this simulator takes a word, a phrase or [min TO max] after a colon",
        )),
        Some(_) => Ok(Token::Clause {
            field: Some(field),
            said: self::said(rest, false)?,
        }),
    }
}

/// A word ends at a colon only where it may be the name of a field.
fn said(rest: &mut Peekable<Chars<'_>>, may_name: bool) -> Result<Said, Refusal> {
    match rest.peek() {
        Some('"') => {
            rest.next();
            phrase(rest)
        }
        Some('[') => {
            rest.next();
            range(rest)
        }
        Some('{') => Err(wrong("this simulator takes ranges in [ and ] only")),
        _ => word(rest, may_name),
    }
}

fn phrase(rest: &mut Peekable<Chars<'_>>) -> Result<Said, Refusal> {
    let mut text = String::new();
    while let Some(c) = rest.next() {
        match c {
            '"' => return Ok(Said::Phrase(text)),
            '\\' => text.extend(rest.next()),
            c => text.push(c),
        }
    }
    Err(wrong("a quote is not closed"))
}

fn range(rest: &mut Peekable<Chars<'_>>) -> Result<Said, Refusal> {
    let inside: String = rest.by_ref().take_while(|c| *c != ']').collect();
    match inside.split_whitespace().collect::<Vec<_>>()[..] {
        [min, "TO", max] => Ok(Said::Between {
            min: min.trim_matches('"').to_owned(),
            max: max.trim_matches('"').to_owned(),
        }),
        _ => Err(wrong("a range must read [min TO max]")),
    }
}

fn word(rest: &mut Peekable<Chars<'_>>, may_name: bool) -> Result<Said, Refusal> {
    let (mut text, mut wild) = (String::new(), false);
    while let Some(&c) = rest.peek() {
        match c {
            ':' if may_name => break,
            c if c.is_whitespace() || matches!(c, '(' | ')' | '"') => break,
            '~' | '^' => {
                return Err(wrong(
                    "this simulator knows neither ~ nor ^; escape them with \\",
                ));
            }
            _ => {}
        }
        rest.next();
        match c {
            '\\' => text.extend(rest.next()),
            c => {
                wild |= matches!(c, '*' | '?');
                text.push(c);
            }
        }
    }
    if text.is_empty() {
        return Err(wrong("a word is missing"));
    }
    Ok(Said::Word { text, wild })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Said {
        Said::Word {
            text: text.to_owned(),
            wild: text.contains('*'),
        }
    }

    fn clause(field: &str, said: Said) -> Token {
        let field = (!field.is_empty()).then(|| field.to_owned());
        Token::Clause { field, said }
    }

    #[test]
    fn a_query_falls_into_words_fields_and_operators() {
        let query = r#"goal -"own goal" AND (status:ACTIVE OR NOT external_id:"a:\"b\"") inter*"#;
        let expected = [
            clause("", word("goal")),
            Token::Not,
            clause("", Said::Phrase("own goal".to_owned())),
            Token::And,
            Token::Open,
            clause("status", word("ACTIVE")),
            Token::Or,
            Token::Not,
            clause("external_id", Said::Phrase("a:\"b\"".to_owned())),
            Token::Close,
            clause("", word("inter*")),
        ];
        assert_eq!(lexed(query).unwrap(), expected);
    }

    #[test]
    fn dashes_and_colons_inside_a_value_belong_to_it() {
        let id = "2c5bfe1a-f149-11eb-a843-0a580a3db916";
        let query = format!("id:{id} date_created:[2026-03-01T10:00:00Z TO *]");
        let between = Said::Between {
            min: "2026-03-01T10:00:00Z".to_owned(),
            max: "*".to_owned(),
        };
        let expected = [clause("id", word(id)), clause("date_created", between)];
        assert_eq!(lexed(&query).unwrap(), expected);
        let escaped = Said::Word {
            text: "a:b*".to_owned(),
            wild: false,
        };
        assert_eq!(lexed(r"a\:b\*").unwrap(), [clause("", escaped)]);
    }

    #[test]
    fn what_would_have_to_be_guessed_is_refused() {
        for query in [
            "\"open",
            "title:",
            "goal~2",
            "goal^3",
            "f:(a b)",
            "f:>3",
            "f:/a/",
            "f:{1 TO 2}",
            "f:[1 2]",
            ":x",
        ] {
            assert!(lexed(query).is_err(), "{query}");
        }
    }
}
