use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|arg| arg == "sandbox-worker")
    {
        return cuegate::sandbox::run_worker();
    }
    ExitCode::SUCCESS
}
