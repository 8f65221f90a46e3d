//! Tests of the whole: the real binary, real files, the simulator over HTTP.

mod architecture;
mod engine;
mod reference;
mod runs;
mod sandbox;
mod shipped;
mod simulator;
mod sources;
mod store_contract;
mod store_sqlite;
mod tidy;
