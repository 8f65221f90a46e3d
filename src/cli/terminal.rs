//! Where commands print. Colours are there only when a terminal shows them; a reader that went away is no error.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};

use serde::Serialize;

use super::gateway::Failed;
use super::{Exit, Format};

/// Standard output and standard error, with colours where they can be seen.
#[derive(Debug)]
pub(super) struct Terminal {
    out: anstream::AutoStream<std::io::Stdout>,
    err: anstream::AutoStream<std::io::Stderr>,
}

/// What a text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// It went well.
    Good,
    /// It failed.
    Bad,
    /// Somebody may want to look.
    Careful,
    /// Beside the point.
    Faint,
    /// A heading.
    Strong,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Careful => AnsiColor::Yellow.on_default(),
            Self::Faint => Style::new().dimmed(),
            Self::Strong => Style::new().bold(),
        }
    }

    /// The text in this tone.
    pub(super) fn paint(self, text: &str) -> String {
        let style = self.style();
        format!("{style}{text}{style:#}")
    }
}

impl Terminal {
    pub(super) fn new() -> Self {
        Self {
            out: anstream::AutoStream::auto(std::io::stdout()),
            err: anstream::AutoStream::auto(std::io::stderr()),
        }
    }

    /// Prints a text.
    pub(super) fn out(&mut self, text: &str) {
        // A closed pipe (`cuegate … | head`) is the reader's choice.
        let _ = self.out.write_all(tame(text).as_bytes());
        let _ = self.out.flush();
    }

    /// Prints a line.
    pub(super) fn line(&mut self, text: &str) {
        self.out(&format!("{text}\n"));
    }

    /// Says what went wrong.
    pub(super) fn complain(&mut self, text: &str) {
        let _ = writeln!(self.err, "{}", tame(&Tone::Bad.paint(text.trim_end())));
    }

    /// Says how far long work is.
    pub(super) fn progress(&mut self, text: &str) {
        let _ = writeln!(self.err, "{}", tame(text));
    }

    /// Says how to see the next page, if there may be one.
    pub(super) fn more(&mut self, before: Option<impl std::fmt::Display>) {
        if let Some(before) = before {
            let text = format!("there may be more: add --before {before}");
            self.line(&Tone::Faint.paint(&text));
        }
    }

    /// How a command ended; says what went wrong, if something did.
    pub(super) fn ended(&mut self, ended: Result<Exit, Failed>) -> Exit {
        ended.unwrap_or_else(|failed| {
            self.complain(&failed.message);
            failed.exit
        })
    }

    /// Prints a report: as JSON for scripts, else by `text`.
    pub(super) fn report(
        &mut self,
        format: Format,
        report: &impl Serialize,
        text: impl FnOnce(&mut Self),
    ) {
        match format {
            Format::Text => text(self),
            Format::Json => {
                let json =
                    serde_json::to_string_pretty(report).expect("a report always has a JSON form");
                self.line(&json);
            }
        }
    }
}

/// The text without what would command the terminal: titles, reasons and files are somebody else's words. Line
/// ends, tabs and colours stay; any other control character is shown as a replacement character.
fn tame(text: &str) -> String {
    let mut tamed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some(colour) = colour(rest) {
            tamed.push_str(colour);
            rest = &rest[colour.len()..];
            continue;
        }
        let shown = !next.is_control() || matches!(next, '\n' | '\t');
        tamed.push(if shown {
            next
        } else {
            char::REPLACEMENT_CHARACTER
        });
        rest = &rest[next.len_utf8()..];
    }
    tamed
}

/// The escape sequence for a colour that the text begins with, if it does: `ESC [ … m`.
fn colour(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("\x1b[")?;
    let end = inner.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    inner[end..].starts_with('m').then(|| &text[..end + 3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_pass_and_commands_to_the_terminal_do_not() {
        let painted = Tone::Bad.paint("dead:\ttitle\n");
        assert_eq!(tame(&painted), painted);
        let replaced = char::REPLACEMENT_CHARACTER;
        assert_eq!(
            tame("a\x1b]0;owned\x07b"),
            format!("a{replaced}]0;owned{replaced}b")
        );
        assert_eq!(
            tame("\x1b[2J\r\u{9b}\x7f"),
            format!("{replaced}[2J{replaced}{replaced}{replaced}")
        );
        assert_eq!(tame("\x1b["), format!("{replaced}["));
    }
}
