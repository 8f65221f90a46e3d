//! The walls that a worker puts around itself before it sees the first script.
//!
//! Everything here runs inside the worker process and only ever takes away. No `RLIMIT_NPROC` (it counts per
//! user and breaks in containers), no `RLIMIT_CPU` (it is cumulative and would end healthy workers), and no
//! parent-death signal (it fires when the *thread* that spawned the worker ends): the closed pipe tells.

use std::fs;
use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::protocol::Layers;

/// Standard input, output and error; no other descriptor can be opened either.
const DESCRIPTORS: u64 = 3;

/// Closes what the gateway's own parent may have left open; what the gateway opens is closed on exec anyway.
#[expect(
    unsafe_code,
    reason = "closing descriptors that nobody owns has no safe form"
)]
pub(super) fn close_inherited_descriptors() -> bool {
    // SAFETY: called first of all, when nothing in this process has opened or refers to a descriptor above 2.
    // As a raw system call, because the musl library has no wrapper for it.
    unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) == 0 }
}

/// Puts up the other walls. Called on the script thread when it exists with its stack and its allocator's
/// arena, so that `memory_bytes` is what scripts may take on top of them.
pub(super) fn contain(memory_bytes: u64, descriptors: bool) -> Layers {
    // When memory runs out on the machine, a worker is what it can best do without.
    let _best_effort = fs::write("/proc/self/oom_score_adj", "1000");
    let _best_effort = std::env::set_current_dir("/");
    let address_space = address_space_bytes()
        .and_then(|present| limit(Resource::As, present.saturating_add(memory_bytes)))
        .is_ok();
    let no_more = limit(Resource::Nofile, DESCRIPTORS).is_ok();
    let _best_effort = limit(Resource::Core, 0);
    Layers {
        descriptors: descriptors && no_more,
        address_space,
        // The filter of system calls and the file system's wall belong here, after everything that opens
        // a file and before the first request is read.
        seccomp: false,
        landlock: false,
    }
}

/// Lowers a limit for good, or leaves a lower one as it is.
fn limit(resource: Resource, wanted: u64) -> io::Result<()> {
    let value = match getrlimit(resource).maximum {
        Some(present) => present.min(wanted),
        None => wanted,
    };
    setrlimit(
        resource,
        Rlimit {
            current: Some(value),
            maximum: Some(value),
        },
    )?;
    Ok(())
}

fn address_space_bytes() -> io::Result<u64> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm
        .split(' ')
        .next()
        .and_then(|pages| pages.parse().ok())
        .ok_or_else(|| io::Error::other("/proc/self/statm does not begin with a number"))?;
    Ok(pages * u64::try_from(rustix::param::page_size()).unwrap_or(4096))
}
