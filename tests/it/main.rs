//! Tests of the whole: the real binary, real files, the simulator over HTTP.

mod simulator;
