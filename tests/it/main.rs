//! Tests of the whole: the real binary, real files, the simulator over HTTP.

mod acceptance;
mod commands;
mod crash;
mod engine;
mod gateway;
mod runs;
mod sandbox;
mod simulator;
mod starts_and_stops;
mod store_contract;
mod store_sqlite;
