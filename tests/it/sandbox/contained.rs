//! What a worker process holds, and that it ends with its pipe. Spoken to without the sandbox around it.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::*;

/// A worker spoken to without the sandbox around it.
struct Worker(Child);

impl Worker {
    fn spawn(command: &mut Command) -> Self {
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(
            pipes
                .stderr(Stdio::null())
                .spawn()
                .expect("the binary starts"),
        )
    }

    fn send(&mut self, request: &Value) {
        let json = request.to_string();
        let length = u32::try_from(json.len()).expect("the test writes short requests");
        let mut frame = length.to_le_bytes().to_vec();
        frame.extend(json.bytes());
        let stdin = self.0.stdin.as_mut().expect("standard input is a pipe");
        stdin.write_all(&frame).expect("the worker reads");
    }

    fn receive(&mut self) -> Value {
        let stdout = self.0.stdout.as_mut().expect("standard output is a pipe");
        let mut length = [0; 4];
        stdout.read_exact(&mut length).expect("the worker answers");
        let length = usize::try_from(u32::from_le_bytes(length)).expect("32 bits fit");
        let mut json = vec![0; length];
        stdout.read_exact(&mut json).expect("the answer is whole");
        serde_json::from_slice(&json).expect("the answer is JSON")
    }

    async fn ends(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the worker has ended", || {
            status = self.0.try_wait().expect("the worker is our child");
            status.is_some()
        })
        .await;
        status.expect("it was waited for")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _gone = self.0.wait();
    }
}

fn setup() -> Value {
    json!({ "Setup": { "memory_bytes": 128 * MIB, "limits": {
        "operations": ENDLESS, "string_bytes": 16384, "elements": 2000,
        "source_bytes": 32768, "log_bytes": 65536,
    } } })
}

fn worker() -> Worker {
    let mut worker = Worker::spawn(Command::new(binary()).arg("sandbox-worker").env_clear());
    worker.send(&setup());
    assert!(worker.receive().get("Ready").is_some());
    worker
}

#[tokio::test]
async fn a_worker_has_no_environment_no_files_and_a_limited_address_space() {
    let sandbox = sandbox(settings()).await;
    for pid in sandbox.pids() {
        assert_eq!(fs::read(format!("/proc/{pid}/environ")).unwrap(), b"");
        let descriptors: Vec<(String, String)> = fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                let target = fs::read_link(entry.path()).unwrap();
                (
                    entry.file_name().into_string().unwrap(),
                    target.display().to_string(),
                )
            })
            .collect();
        assert_eq!(descriptors.len(), 3, "{descriptors:?}");
        assert!(
            descriptors
                .iter()
                .all(|(_, target)| target.starts_with("pipe:")),
            "{descriptors:?}"
        );
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let limit_of = |name: &str| {
            let line = limits
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap();
            line.split_whitespace().next().unwrap().to_owned()
        };
        let address_space: u64 = limit_of("Max address space").parse().unwrap();
        assert!(address_space < 128 * MIB + 512 * MIB, "{address_space}");
        assert_eq!(limit_of("Max open files"), "3");
        assert_eq!(limit_of("Max core file size"), "0");
        assert_eq!(
            fs::read_link(format!("/proc/{pid}/cwd")).unwrap(),
            PathBuf::from("/")
        );
    }
    let layers = sandbox.report().layers;
    assert!(layers.descriptors && layers.address_space, "{layers:?}");
}

#[tokio::test]
async fn inherited_descriptors_are_closed_in_a_worker() {
    // The shell leaves descriptor 9 open for what it starts.
    let script = format!(
        "exec 9</dev/null; exec {} sandbox-worker",
        binary().display()
    );
    let mut worker = Worker::spawn(Command::new("sh").arg("-c").arg(script));
    worker.send(&setup());
    assert!(worker.receive().get("Ready").is_some());
    assert!(!PathBuf::from(format!("/proc/{}/fd/9", worker.0.id())).exists());
}

#[tokio::test]
async fn an_idle_worker_ends_when_its_pipe_is_closed() {
    let mut worker = worker();
    drop(worker.0.stdin.take());
    assert!(worker.ends().await.success());
}

#[tokio::test]
async fn a_busy_worker_ends_when_its_pipe_is_closed() {
    let mut worker = worker();
    let program = program(LOOP);
    worker.send(&json!({ "Load": { "rule": 1, "program": &*program, "forget": [] } }));
    assert_eq!(worker.receive(), "Loaded");
    let idle_ticks = cpu_ticks(worker.0.id());
    worker.send(&json!({ "Advance": {
        "rule": 1, "moment": moment(), "base": { "Event": &*event("x") }, "steps": [],
    } }));
    let pid = worker.0.id();
    eventually("the script is busy", || cpu_ticks(pid) > idle_ticks + 2).await;
    drop(worker.0.stdin.take());
    assert!(worker.ends().await.success());
}

#[tokio::test]
async fn a_worker_ends_rather_than_guess_what_a_broken_request_means() {
    for request in [json!({ "Advance": {} }), json!(7), setup()] {
        let mut worker = worker();
        worker.send(&request);
        assert!(!worker.ends().await.success(), "{request}");
    }
}
