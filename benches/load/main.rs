//! The whole gateway under load beside an Iconik that answers at once: how a backlog drains when Iconik is back, and what
//! a flood does to others. `cargo bench --bench load -- drain` or `-- fairness` measures one of them.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod drain;
#[path = "../measure/events.rs"]
mod events;
mod fairness;
#[path = "../measure/gateway.rs"]
mod gateway;
mod iconik;
#[path = "../measure/machine.rs"]
mod machine;

fn main() -> anyhow::Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let measures = |part: &str| {
        let named = |part: &str| wanted.iter().any(|argument| argument == part);
        named(part) || !(named("drain") || named("fairness"))
    };
    // Whoever came first has chosen; any provider will do.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    println!("\nload: {}", machine::machine());
    let runtime = tokio::runtime::Runtime::new()?;
    if measures("drain") {
        runtime.block_on(drain::measure())?;
    }
    if measures("fairness") {
        runtime.block_on(fairness::measure())?;
    }
    Ok(())
}
