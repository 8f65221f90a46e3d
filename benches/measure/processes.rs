//! What the processes of a gateway are and what they use, as the kernel tells.

use std::fs;
use std::time::Duration;

/// The gateway's process id and those of its workers.
pub(super) fn processes(gateway: u32) -> anyhow::Result<Vec<u32>> {
    let mut pids = vec![gateway];
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if stat(pid).is_some_and(|fields| fields[PARENT] == u64::from(gateway)) {
            pids.push(pid);
        }
    }
    Ok(pids)
}

/// The processor time that gateway and workers have used, in the kernel's ticks of usually ten
/// milliseconds.
pub(super) fn cpu(gateway: u32) -> anyhow::Result<Duration> {
    let ticks: u64 = processes(gateway)?
        .into_iter()
        .filter_map(stat)
        .map(|fields| fields[USER] + fields[SYSTEM])
        .sum();
    let millis = ticks * 1000 / rustix::param::clock_ticks_per_second();
    Ok(Duration::from_millis(millis))
}

/// Places in [`stat`].
const PARENT: usize = 0;
const USER: usize = 10;
const SYSTEM: usize = 11;

/// The numbers of `/proc/PID/stat` from the parent on. (Some are negative; those are shown as 0.)
fn stat(pid: u32) -> Option<Vec<u64>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold anything.
    let fields = stat[stat.rfind(')')? + 2..].split(' ').skip(1);
    Some(fields.map(|field| field.parse().unwrap_or(0)).collect())
}
