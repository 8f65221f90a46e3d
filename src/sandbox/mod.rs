//! The worker processes that rules are compiled and advanced in.
