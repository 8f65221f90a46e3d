//! Columns that stand below each other. Cells may be in colour and hold any letters, so their width is counted as a
//! terminal shows them. (The crates for it draw the whole terminal; this is one loop.)

use unicode_width::UnicodeWidthStr as _;

use super::terminal::Tone;

/// The longest cell; what is longer ends in an ellipsis.
const CELL_MAX: usize = 60;

/// A text with its tone.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    tone: Option<Tone>,
}

impl Cell {
    pub(super) fn in_tone(text: impl Into<String>, tone: Option<Tone>) -> Self {
        Self {
            text: text.into(),
            tone,
        }
    }
}

impl<T: ToString> From<T> for Cell {
    fn from(text: T) -> Self {
        Self {
            text: text.to_string(),
            tone: None,
        }
    }
}

/// Rows below a heading.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(super) fn new(heading: &[&str]) -> Self {
        let heading = heading
            .iter()
            .map(|name| Cell::in_tone(*name, Some(Tone::Faint)));
        Self {
            rows: vec![heading.collect()],
        }
    }

    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| shown(&cell.text).width())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let text = shown(&cell.text);
                let space = " ".repeat(width + 2 - text.width());
                match cell.tone {
                    Some(tone) => line.push_str(&tone.paint(&text)),
                    None => line.push_str(&text),
                }
                line.push_str(&space);
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// One line, and not too long.
fn shown(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    if line.width() <= CELL_MAX {
        return line;
    }
    let mut short = String::new();
    for letter in line.chars() {
        short.push(letter);
        if short.width() >= CELL_MAX - 1 {
            break;
        }
    }
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_whatever_is_in_them() {
        let mut table = Table::new(&["run", "title", "state"]);
        table.row(vec![Cell::from(7), Cell::from("東京"), Cell::from("dead")]);
        table.row(vec![
            Cell::from(1_234),
            Cell::from("a\nb"),
            Cell::in_tone("ok", Some(Tone::Good)),
        ]);
        let plain = anstream::adapter::strip_str(&table.to_string()).to_string();
        assert_eq!(
            plain,
            "run   title  state\n7     東京   dead\n1234  a b    ok\n"
        );
    }

    #[test]
    fn a_long_cell_ends_in_an_ellipsis() {
        let text = shown(&"x".repeat(200));
        assert_eq!(text.width(), CELL_MAX);
        assert!(text.ends_with('…'));
    }
}
