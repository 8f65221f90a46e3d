//! The simulator held against Iconik's own OpenAPI documents: every simulated operation is called with a
//! body made from its schema, and every request and every answer on the way is one that the documents allow.
//!
//! The documents are not ours to ship. Where they are not at hand, the test says so and compares nothing.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the helpers of tests fail like the tests themselves, and the coverage is a table to read"
)]

mod bodies;
mod calls;
mod cast;
mod client;
mod documents;
mod slips;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use cuegate::simulator::Simulator;

use calls::Driver;
use documents::{Documents, shape};
use slips::SLIPS;

/// Operations that are simulated although they are in none of the documents.
const UNDOCUMENTED: &[(&str, &str, &str)] = &[];

#[tokio::test(flavor = "multi_thread")]
async fn every_request_and_every_answer_is_one_that_the_documents_allow() {
    let Some(documents) = Documents::at_hand() else {
        say_that_nothing_was_compared();
        return;
    };
    let mut driver = Driver::start(documents).await;
    let simulated = Simulator::operations();
    for (method, path) in &simulated {
        // One path may stand for two operations; then the documents' own name says which is meant.
        let mut others = simulated
            .iter()
            .filter(|it| it.0 == *method && it.1 != *path);
        let is_twin = others.any(|(_, other)| shape(other) == shape(path));
        if !is_twin || driver.documents().names(method.as_str(), path) {
            driver.call(method.as_str(), path).await;
        }
    }
    let documents = driver.documents();
    let named =
        |(method, path): &(cuegate::model::Method, String)| documents.named(method.as_str(), path);
    let known: BTreeSet<_> = simulated.iter().filter_map(named).collect();
    let (called, mut differences) = client::compared(driver.documents_mut());
    report(driver.documents(), &known, &called);

    differences.extend(driver.differences().iter().cloned());
    let (unexplained, unused) = explained(&differences);
    assert!(
        unexplained.is_empty(),
        "{} differences that no slip explains:\n{}",
        unexplained.len(),
        unexplained.join("\n")
    );
    assert!(unused.is_empty(), "slips that no longer show: {unused:#?}");
    assert!(
        known.len() >= 250,
        "only {} operations are simulated",
        known.len()
    );
}

fn say_that_nothing_was_compared() {
    let text = "the documents of Iconik are not at hand: nothing was compared\n";
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

/// Prints how many operations are simulated, of each service, and how many of those functions of rules call.
fn report(documents: &Documents, known: &BTreeSet<usize>, called: &BTreeSet<usize>) {
    let mut rows: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for (at, operation) in documents.operations.iter().enumerate() {
        let service = operation.path.split('/').next().unwrap_or_default();
        let is_known = known.contains(&at);
        for row in [service, "together"] {
            let row = rows.entry(row).or_default();
            row[0] += usize::from(is_known);
            row[1] += usize::from(is_known && called.contains(&at));
            row[2] += 1;
        }
    }
    println!("{:22} simulated  of those bound  documented", "service");
    for (service, [simulated, bound, documented]) in &rows {
        println!("{service:22} {simulated:9} {bound:15} {documented:11}");
    }
}

/// The differences that no slip explains, and the slips that explain none.
fn explained(differences: &BTreeSet<(String, String)>) -> (Vec<String>, Vec<String>) {
    let mut used = BTreeSet::new();
    let mut unexplained = Vec::new();
    for (operation, difference) in differences {
        let slip = SLIPS.iter().position(|slip| {
            let is_meant = match slip.operation.strip_suffix('*') {
                Some(begin) => operation.starts_with(begin),
                None => slip.operation == operation,
            };
            is_meant && difference.contains(slip.says)
        });
        match slip {
            Some(slip) => drop(used.insert(slip)),
            None => unexplained.push(format!("{operation}: {difference}")),
        }
    }
    let unused = SLIPS.iter().enumerate();
    let unused = unused.filter(|(at, _)| !used.contains(at));
    let unused = unused.map(|(_, it)| format!("{}: {} ({})", it.operation, it.says, it.reason));
    (unexplained, unused.collect())
}

#[test]
fn every_simulated_operation_is_in_the_documents() {
    let Some(documents) = Documents::at_hand() else {
        say_that_nothing_was_compared();
        return;
    };
    let unknown: Vec<_> = Simulator::operations()
        .into_iter()
        .filter(|(method, path)| documents.named(method.as_str(), path).is_none())
        .filter(|(method, path)| {
            let mut listed = UNDOCUMENTED.iter();
            !listed.any(|it| it.0 == method.as_str() && shape(it.1) == shape(path))
        })
        .collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}
