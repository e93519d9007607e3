//! The `roost` program.

fn main() -> std::process::ExitCode {
    roost::cli::run()
}
