//! Tests of the whole: the real binary, real files, the simulator over HTTP.

mod engine;
mod runs;
mod sandbox;
mod shipped;
mod simulator;
mod store_contract;
mod store_sqlite;
