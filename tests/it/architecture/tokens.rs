//! Rust text as names and signs, without what is no code.
//!
//! A full parser would be a dependency for the sake of one test; a search in the text would find imports in
//! comments and miss them in groups. Tokens are enough to read paths.

/// Names and signs of a source text, without white space, comments, texts and numbers. `::` is one token.
pub(super) fn tokens(source: &str) -> Vec<String> {
    let text: Vec<char> = source.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let next = text.get(at + 1).copied();
        match text[at] {
            '/' if next == Some('/') => at = end_of_line(&text, at),
            '/' if next == Some('*') => at = end_of_comment(&text, at),
            '"' => at = end_of_text(&text, at),
            'r' | 'b' | 'c' if raw_text(&text, at).is_some() => {
                at = raw_text(&text, at).expect("the guard has found it");
            }
            '\'' => at = end_of_quote(&text, at),
            ':' if next == Some(':') => {
                found.push("::".to_owned());
                at += 2;
            }
            c if c.is_alphanumeric() || c == '_' => {
                let is_word = |c: &&char| c.is_alphanumeric() || **c == '_';
                let word: String = text[at..].iter().take_while(is_word).collect();
                at += word.chars().count();
                found.push(word);
            }
            c => {
                if !c.is_whitespace() {
                    found.push(c.to_string());
                }
                at += 1;
            }
        }
    }
    found
}

pub(super) fn matches(code: &[String], wanted: &[&str]) -> bool {
    code.len() >= wanted.len()
        && code
            .iter()
            .zip(wanted)
            .all(|(token, wanted)| token == wanted)
}

/// Whether a path such as `tokio` or `std::fs` is used, not counting the middle of another path.
pub(super) fn mentions(code: &[String], path: &str) -> bool {
    let wanted: Vec<&str> = path
        .split("::")
        .flat_map(|part| ["::", part])
        .skip(1)
        .collect();
    (0..code.len()).any(|at| {
        let starts = at == 0 || code[at - 1] != "::";
        let is_path = code
            .get(at + wanted.len())
            .is_some_and(|next| next == "::" || next == ";");
        starts && matches(&code[at..], &wanted) && is_path
    })
}

fn end_of_line(text: &[char], at: usize) -> usize {
    let length = text[at..].iter().position(|c| *c == '\n');
    length.map_or(text.len(), |length| at + length)
}

/// Block comments nest.
fn end_of_comment(text: &[char], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < text.len() {
        match (text[at], text.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 1;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 1;
            }
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

fn end_of_text(text: &[char], mut at: usize) -> usize {
    at += 1;
    while at < text.len() && text[at] != '"' {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The end of `r"…"`, `r#"…"#`, `br"…"` if one begins here and not in the middle of a word.
fn raw_text(text: &[char], start: usize) -> Option<usize> {
    let in_word = start > 0 && (text[start - 1].is_alphanumeric() || text[start - 1] == '_');
    let r = (start..text.len().min(start + 2)).find(|at| text[*at] == 'r')?;
    let hashes = text[r + 1..].iter().take_while(|c| **c == '#').count();
    let open = r + 1 + hashes;
    if in_word || text.get(open) != Some(&'"') {
        return None;
    }
    let closes = |at: &usize| {
        text[*at] == '"' && text[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes
    };
    let close = (open + 1..text.len()).find(closes);
    Some(close.map_or(text.len(), |close| close + 1 + hashes))
}

/// A character literal, or a lifetime, whose name is then read as a word.
fn end_of_quote(text: &[char], at: usize) -> usize {
    match text.get(at + 1) {
        Some('\\') => {
            let close = text[at + 3..].iter().position(|c| *c == '\'');
            close.map_or(text.len(), |close| at + 4 + close)
        }
        Some(_) if text.get(at + 2) == Some(&'\'') => at + 3,
        _ => at + 1,
    }
}
