//! Tests of the whole: the real binary, real files, the simulator over HTTP.

mod crash;
mod engine;
mod gateway;
mod runs;
mod sandbox;
mod simulator;
mod store_contract;
mod store_sqlite;
