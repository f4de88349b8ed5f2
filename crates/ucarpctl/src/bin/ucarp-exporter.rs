//! The `ucarp-exporter` binary.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ucarpctl::exporter::main()
}
