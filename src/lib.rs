//! Cuegate: a self-hosted, webhook-driven automation gateway for Iconik.
//!
//! Read down, the modules are the life of an event: `ingress` stores it durably, `router` finds the rules
//! that want it, `runner` advances their runs in `sandbox` workers and performs the effects that `engine`
//! yields through `iconik`; `store` is where they meet. ARCHITECTURE.md has the map and the invariants.

pub mod admin;
pub mod app;
pub mod authoring;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod egress;
pub mod engine;
pub mod iconik;
pub mod ingress;
pub mod model;
pub mod operations;
pub mod quarantine;
pub mod router;
pub mod runner;
pub mod sandbox;
pub mod seal;
pub mod simulator;
pub mod store;
pub mod subscriptions;
pub mod telemetry;
