//! The reference as one page for a browser, which needs nothing besides itself.

use std::fmt::Write as _;

use pulldown_cmark::{Options, Parser};

use super::super::Place;
use super::{heading, markdown, sorted};

const STYLE: &str = "\
:root { color-scheme: light dark; }
body { max-width: 52rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; }
code, pre { font: 0.9em/1.45 ui-monospace, monospace; }
pre { padding: 0.7rem 1rem; overflow-x: auto; border: 1px solid #8885; border-radius: 4px; }
h2 { margin-top: 3rem; border-bottom: 1px solid #8885; }
h3 { margin-top: 2rem; }
nav ul { columns: 14rem; padding-left: 1.2rem; }
";

/// The reference as HTML.
pub fn html() -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Cuegate: functions that rules can use</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    );
    let text = anchored();
    let parser = Parser::new_ext(&text, Options::ENABLE_HEADING_ATTRIBUTES);
    pulldown_cmark::html::push_html(&mut page, parser);
    page.push_str("</body>\n</html>\n");
    page
}

/// The Markdown with a name for each section to be linked to, and a list of them after the opening.
fn anchored() -> String {
    let mut places: Vec<Place> = sorted().iter().map(|doc| doc.place).collect();
    places.dedup();
    let mut text = markdown();
    let mut list = String::from("\n<nav>\n\n");
    for place in places {
        let (heading, anchor) = (heading(place), anchor(place));
        text = text.replacen(
            &format!("\n## {heading}\n"),
            &format!("\n## {heading} {{#{anchor}}}\n"),
            1,
        );
        let _ = writeln!(list, "- [{heading}](#{anchor})");
    }
    list.push_str("\n</nav>\n");
    let first = text.find("\n## ").unwrap_or(text.len());
    text.insert_str(first, &list);
    text
}

fn anchor(place: Place) -> String {
    let name = match place {
        Place::Top => "by name",
        Place::Module(name) | Place::Type(name) => name,
    };
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let kind = if matches!(place, Place::Type(_)) {
        "on-"
    } else {
        ""
    };
    format!(
        "{kind}{}",
        name.chars().map(plain).collect::<String>().to_lowercase()
    )
}
