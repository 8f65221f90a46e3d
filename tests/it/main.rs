//! Tests of the whole: the real binary, real files, the simulator over HTTP.

mod acceptance;
mod admin_api;
mod architecture;
mod automations;
mod commands;
mod conformance;
mod crash;
mod driven;
mod engine;
mod examples;
mod gateway;
mod hostile;
mod introduction;
mod keeping;
mod metrics;
mod reference;
mod rule_sets;
mod runs;
mod sandbox;
mod shipped;
mod simulator;
mod sources;
mod starts_and_stops;
mod store_contract;
mod store_sqlite;
mod tidy;
