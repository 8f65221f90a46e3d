//! Tests of the whole: the real binary, real files, the simulator over HTTP.

mod engine;
mod examples;
mod hostile;
mod runs;
mod sandbox;
mod simulator;
mod store_contract;
mod store_sqlite;
