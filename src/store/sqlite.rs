//! stub
#[derive(Debug)]
pub struct SqliteStore;
#[derive(Debug)]
pub struct SqliteOptions;
