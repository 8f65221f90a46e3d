//! The disk below the files: whether it is one that a database can be trusted to, and how much room is left.
//!
//! SQLite's write-ahead log needs locks and shared memory that network file systems do not have or only pretend to
//! have, and a gateway that finds out later has lost events by then. So it is asked at the start.

use std::fmt::Debug;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::store::StoreError;

/// How long a measurement is good enough for the next event.
const FRESH: Duration = Duration::from_millis(250);

/// What a user space file system shows as.
const FUSE: u64 = 0x6573_5546;

/// File systems of other machines, by the number that `statfs` gives them (linux/magic.h and their own headers).
const NETWORK: [(u64, &str); 9] = [
    (0x6969, "nfs"),
    (0x517b, "smb"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x5346_414f, "afs"),
    (0x7375_7245, "coda"),
    (0x00c3_6400, "ceph"),
    (0x0bd0_0bd0, "lustre"),
    (0x4750_4653, "gpfs"),
];

/// User space file systems over a local block device.
const FUSE_KNOWN: [&str; 1] = ["fuseblk"];

/// What is asked of the system about the disk below a directory.
pub trait Disk: Send + Sync + Debug {
    /// Bytes that are free for this user.
    ///
    /// # Errors
    ///
    /// The system's.
    fn free_bytes(&self, directory: &Path) -> io::Result<u64>;

    /// The number by which `statfs` names the kind of file system, and its name in the table of mounts, which is
    /// empty if it is not found there.
    ///
    /// # Errors
    ///
    /// The system's.
    fn file_system(&self, directory: &Path) -> io::Result<(u64, String)>;
}

/// The system itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn free_bytes(&self, directory: &Path) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(directory)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    fn file_system(&self, directory: &Path) -> io::Result<(u64, String)> {
        let kind = rustix::fs::statfs(directory)?.f_type;
        // The kernel's number has 32 bits, whatever the type of the field is.
        let kind = u64::from_ne_bytes(i64::to_ne_bytes(kind)) & 0xffff_ffff;
        let device = std::fs::metadata(directory)?.dev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let name = mounted_as(&mounts, &format!("{major}:{minor}")).unwrap_or_default();
        Ok((kind, name.to_owned()))
    }
}

/// The type of the last mount of a device, as `/proc/self/mountinfo` lists them.
fn mounted_as<'a>(mounts: &'a str, device: &str) -> Option<&'a str> {
    let of_device = |line: &&str| line.split(' ').nth(2) == Some(device);
    let (_, about) = mounts.lines().rfind(of_device)?.split_once(" - ")?;
    about.split(' ').next()
}

/// Refuses a directory that a database cannot be trusted to.
pub(super) fn examine(disk: &dyn Disk, directory: &Path) -> Result<(), StoreError> {
    let (kind, name) = disk.file_system(directory).map_err(|error| {
        StoreError::Failed(format!(
            "cannot ask which file system {} is on: {error}",
            directory.display()
        ))
    })?;
    let Some(unfit) = unfit(kind, &name) else {
        return Ok(());
    };
    Err(StoreError::Unsuitable(format!(
        "the data directory {} is on {unfit}, where SQLite's locks and shared memory cannot be relied on: accepted \
         events could be lost. Put it on a local disk or a block volume; if you know that this one is safe, set \
         `allow_network_fs = true` in [store].",
        directory.display()
    )))
}

fn unfit(kind: u64, name: &str) -> Option<String> {
    if let Some((_, network)) = NETWORK.iter().find(|(number, _)| *number == kind) {
        return Some(format!("a network file system ({network})"));
    }
    let unknown = kind == FUSE && !FUSE_KNOWN.contains(&name);
    let shown = if name.is_empty() { "fuse" } else { name };
    unknown.then(|| format!("a user space file system that is not known ({shown})"))
}

/// The room that must be left on the disk for anything new to be taken.
#[derive(Debug)]
pub(super) struct Floor {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    min_free: u64,
    measured: Mutex<Option<(Instant, u64)>>,
}

impl Floor {
    /// So many bytes must be free; with 0, the disk alone decides.
    pub(super) fn new(disk: Arc<dyn Disk>, directory: &Path, min_free: u64) -> Self {
        Self {
            disk,
            directory: directory.to_owned(),
            min_free,
            measured: Mutex::default(),
        }
    }

    /// Bytes that are free now.
    pub(super) fn free_bytes(&self) -> Result<u64, StoreError> {
        self.disk.free_bytes(&self.directory).map_err(|error| {
            StoreError::Failed(format!(
                "cannot ask how much room is left for {}: {error}",
                self.directory.display()
            ))
        })
    }

    /// Whether there is room for something new.
    pub(super) fn room(&self) -> Result<(), StoreError> {
        if self.min_free == 0 {
            return Ok(());
        }
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        let free = match *measured {
            // Too little is looked at again at once, so that it goes on as soon as it can.
            Some((at, free)) if free >= self.min_free && at.elapsed() < FRESH => free,
            _ => {
                let free = self.free_bytes()?;
                // Only now: an old measurement that is looked at often does not become a fresh one.
                *measured = Some((Instant::now(), free));
                free
            }
        };
        if free >= self.min_free {
            return Ok(());
        }
        Err(StoreError::NoRoom(format!(
            "{} are free on the disk of {}, less than the {} that [store] retention.min_free keeps: new events are \
             refused until there is more room, runs go on",
            size(free),
            self.directory.display(),
            size(self.min_free)
        )))
    }
}

/// Bytes for people: `1.5 GB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    for (unit, name) in UNITS {
        if bytes >= unit {
            return format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit);
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_and_unknown_user_space_file_systems_are_unfit_and_local_ones_are_not() {
        for (kind, name, fit) in [
            (0xef53, "ext4", true),
            (0x5846_5342, "xfs", true),
            (0x9123_683e, "btrfs", true),
            (0x0102_1994, "tmpfs", true),
            (0x794c_7630, "overlay", true),
            (FUSE, "fuseblk", true),
            (FUSE, "fuse.sshfs", false),
            (FUSE, "fuse.s3fs", false),
            (FUSE, "", false),
            (0x6969, "nfs4", false),
            (0xff53_4d42, "cifs", false),
            (0xfe53_4d42, "smb3", false),
        ] {
            assert_eq!(unfit(kind, name).is_none(), fit, "{name}");
        }
    }

    #[test]
    fn the_last_mount_of_a_device_says_what_it_is() {
        let mounts = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
                      40 22 0:51 / /data rw - fuse.sshfs host:/x rw\n\
                      41 22 0:51 / /other rw shared:2 - fuse.other host:/x rw\n";
        assert_eq!(mounted_as(mounts, "254:0"), Some("ext4"));
        assert_eq!(mounted_as(mounts, "0:51"), Some("fuse.other"));
        assert_eq!(mounted_as(mounts, "8:1"), None);
    }

    #[test]
    fn the_system_answers_about_a_directory_of_this_machine() {
        let directory = tempfile::tempdir().unwrap();
        let (kind, name) = SystemDisk.file_system(directory.path()).unwrap();
        assert!(kind > 0);
        assert!(
            !name.contains(' ') && !name.contains('/'),
            "{name} is no type of a file system"
        );
        assert!(SystemDisk.free_bytes(directory.path()).unwrap() > 0);
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_550, "1.5 kB"),
            (20_000_000_000, "20.0 GB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
