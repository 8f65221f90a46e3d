//! A disk that can be cut off from power, be full, be read-only or fail, for a process of our choice; `shim.c` says
//! how, and what it cannot see.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::gateway::Gateway;

/// What a drive writes as a whole.
const SECTOR: usize = 512;

/// No error.
const NONE: i64 = 0;

/// Numbers of errors on Linux.
const EIO: i64 = 5;

/// The numbers of the control file.
#[derive(Clone, Copy, Debug)]
enum Control {
    Room,
    SyncError,
    ReadOnly,
    ClockSeconds,
    WriteError,
    SyncsLeft,
}

/// What becomes of bytes that were written and not synced when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsynced {
    /// None of them was on the disk.
    Lost,
    /// Of every sector the old or the new state was, by chance.
    Torn(u64),
}

/// The disk below one directory.
#[derive(Debug)]
pub(crate) struct Disk {
    data: PathBuf,
    beside: TempDir,
    control: File,
}

impl Disk {
    /// A healthy disk below `data`, which must be there and be used by nobody yet.
    pub(crate) fn below(data: &Path) -> Self {
        let beside = tempfile::tempdir().expect("a temporary directory can be made");
        let control = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(beside.path().join("control"))
            .expect("the directory is empty");
        let disk = Self {
            data: data.canonicalize().expect("the directory is there"),
            beside,
            control,
        };
        for which in [
            Control::Room,
            Control::SyncError,
            Control::ReadOnly,
            Control::ClockSeconds,
            Control::WriteError,
            Control::SyncsLeft,
        ] {
            disk.set(which, NONE);
        }
        disk.set(Control::Room, -1);
        disk.mirror();
        disk
    }

    /// The disk of a gateway that has not run yet.
    pub(crate) fn of(gateway: &mut Gateway) -> Self {
        let data = gateway.path("data");
        fs::create_dir(&data).expect("it has not run yet");
        let disk = Self::below(&data);
        for (name, value) in disk.environment() {
            gateway.environment(name, &value);
        }
        disk
    }

    /// What a process that shall work on this disk needs in its environment.
    pub(crate) fn environment(&self) -> [(&'static str, String); 4] {
        let text = |path: &Path| path.to_str().expect("it is UTF-8").to_owned();
        [
            ("LD_PRELOAD", text(shim())),
            ("CUEGATE_SHIM_DIR", text(&self.data)),
            ("CUEGATE_SHIM_SHADOW", text(&self.shadow())),
            (
                "CUEGATE_SHIM_CONTROL",
                text(&self.beside.path().join("control")),
            ),
        ]
    }

    /// The power goes: called when the process is dead, leaves what a disk would have.
    pub(crate) fn cut(&self, unsynced: Unsynced) {
        for entry in fs::read_dir(&self.data).expect("the directory is there") {
            let path = entry.expect("it can be read").path();
            let name = path.file_name().expect("it has a name");
            let synced = self.shadow().join(name);
            if !synced.exists() {
                fs::remove_file(&path).expect("it can be deleted");
            } else if let Unsynced::Torn(seed) = unsynced {
                tear(&synced, &path, seed);
            }
        }
        copy_files(&self.shadow(), &self.data).expect("files can be copied");
        self.mirror();
    }

    /// By how many bytes files may still grow; as many as they like if none is said.
    pub(crate) fn room(&self, bytes: Option<u32>) {
        self.set(Control::Room, bytes.map_or(-1, i64::from));
    }

    /// Whether every sync fails.
    pub(crate) fn fail_to_sync(&self, fails: bool) {
        self.set(Control::SyncError, if fails { EIO } else { NONE });
    }

    /// Whether every write fails.
    pub(crate) fn fail_to_write(&self, fails: bool) {
        self.set(Control::WriteError, if fails { EIO } else { NONE });
    }

    /// Whether it is mounted for reading only.
    pub(crate) fn read_only(&self, is: bool) {
        self.set(Control::ReadOnly, i64::from(is));
    }

    /// How far the wall clock is from the machine's.
    pub(crate) fn clock(&self, seconds: i64) {
        self.set(Control::ClockSeconds, seconds);
    }

    /// Lets the process kill itself at the sync of this number from now, counted from 1; at none if it is 0.
    pub(crate) fn kill_at_sync(&self, number: u32) {
        self.set(Control::SyncsLeft, i64::from(number));
    }

    /// How many syncs are left until it does.
    pub(crate) fn syncs_left(&self) -> i64 {
        let mut number = [0; 8];
        self.control
            .read_exact_at(&mut number, 8 * Control::SyncsLeft as u64)
            .expect("the control file can be read");
        i64::from_ne_bytes(number)
    }

    fn set(&self, which: Control, number: i64) {
        let at = 8 * which as u64;
        self.control
            .write_all_at(&number.to_ne_bytes(), at)
            .expect("the control file can be written");
    }

    fn shadow(&self) -> PathBuf {
        self.beside.path().join("shadow")
    }

    /// Makes the shadow what the directory is.
    fn mirror(&self) {
        let shadow = self.shadow();
        if shadow.exists() {
            fs::remove_dir_all(&shadow).expect("it can be deleted");
        }
        copy_files(&self.data, &shadow).expect("files can be copied");
    }
}

/// Replaces some sectors of what was synced by those that were written.
fn tear(synced: &Path, written: &Path, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = fs::read(synced).expect("it can be read");
    let new = fs::read(written).expect("it can be read");
    // A file that has become longer or shorter may have its old length or its new one.
    if random.bool() {
        bytes.resize(new.len(), 0);
    }
    for (old, new) in bytes.chunks_mut(SECTOR).zip(new.chunks(SECTOR)) {
        if old.len() == new.len() && old != new && random.bool() {
            old.copy_from_slice(new);
        }
    }
    fs::write(synced, bytes).expect("it can be written");
}

/// Copies what lies in a directory; the -shm files, which only mean something to living processes, are left out.
pub(crate) fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if !name.to_string_lossy().ends_with("-shm") {
            fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

/// The shim, compiled once.
fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/endurance/disk/shim.c");
        let library = target.join(format!("disk-shim-{}.so", std::process::id()));
        let compiled = Command::new("cc")
            .args([
                "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o",
            ])
            .arg(&library)
            .arg(source)
            .args(["-ldl", "-lpthread"])
            .output()
            .expect("a C compiler is there: the build of SQLite needs one too");
        let said = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success(), "{said}");
        // One library for all runs; whoever has the old one loaded keeps it.
        let named = target.join("disk-shim.so");
        fs::rename(&library, &named).expect("it lies in the same directory");
        named
    })
}
