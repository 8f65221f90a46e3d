//! The page at `/`: what is in the simulated Iconik, what was asked lately, and what was sent.

use std::fmt::Write as _;

use axum::response::{Html, IntoResponse as _, Response};

use super::records::Records;
use super::world::World;

/// How many requests and deliveries are shown, the latest first.
const SHOWN: usize = 50;

/// The page.
pub(super) fn page(world: &World, records: &Records) -> Response {
    let mut text = String::from(
        "<!doctype html><meta charset=utf-8><title>Simulated Iconik</title>\
         <style>body{font-family:sans-serif;margin:2em}td,th{padding:.1em .8em;text-align:left}</style>\
         <h1>Simulated Iconik</h1>",
    );
    text.push_str("<h2>What is there</h2><table>");
    for (what, count) in world.counts() {
        row(&mut text, &[&what, &count.to_string()]);
    }
    text.push_str("</table><h2>Latest requests</h2><table>");
    for request in records.requests().iter().rev().take(SHOWN) {
        let status = request
            .status
            .map_or_else(|| "none".to_owned(), |it| it.to_string());
        row(
            &mut text,
            &[
                &request.at.to_string(),
                &request.method,
                &request.path,
                &status,
            ],
        );
    }
    text.push_str("</table><h2>Events sent</h2><table>");
    for delivery in records.deliveries().iter().rev().take(SHOWN) {
        let word = |key: &str| delivery.envelope[key].as_str().unwrap_or("").to_owned();
        let event = ["event_type", "realm", "operation"].map(word).join(" ");
        let outcome = match &delivery.outcome {
            Ok(status) => status.to_string(),
            Err(error) => error.clone(),
        };
        row(
            &mut text,
            &[
                &delivery.at.to_string(),
                &event,
                &word("object_id"),
                &outcome,
            ],
        );
    }
    text.push_str("</table>");
    Html(text).into_response()
}

fn row(text: &mut String, cells: &[&str]) {
    text.push_str("<tr>");
    for cell in cells {
        // Writing into a string cannot fail.
        write!(text, "<td>{}</td>", escaped(cell)).ok();
    }
    text.push_str("</tr>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_shown_and_not_carried_out() {
        let mut text = String::new();
        row(&mut text, &["<script>alert(1)</script>"]);
        assert_eq!(
            text,
            "<tr><td>&lt;script&gt;alert(1)&lt;/script&gt;</td></tr>"
        );
    }
}
