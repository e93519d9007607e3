//! The default build needs Rust and a C compiler, nothing else.

use std::path::Path;
use std::process::Command;

/// Crates that need cmake, libclang, OpenSSL or protoc on the machine that builds.
const FORBIDDEN: [&str; 17] = [
    "aws-lc-fips-sys",
    "aws-lc-sys",
    "bindgen",
    "boring-sys",
    "clang",
    "clang-sys",
    "cmake",
    "grpcio-sys",
    "libz-ng-sys",
    "native-tls",
    "openssl",
    "openssl-sys",
    "prost-build",
    "protobuf-src",
    "protoc-bin-vendored",
    "rdkafka-sys",
    "tonic-build",
];

/// The lines of `cargo tree` that name a forbidden crate.
fn forbidden(tree: &str) -> Vec<&str> {
    let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    tree.lines().filter(|line| FORBIDDEN.contains(&name(line).as_str())).collect()
}

#[test]
fn the_default_build_needs_no_foreign_tools() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--edges", "normal,build", "--prefix", "none", "--locked", "--offline"]);
    let tree = cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).output().unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.lines().any(|line| line.starts_with("clickhouse v")), "this is not our tree:\n{tree}");
    assert_eq!(forbidden(&tree), Vec::<&str>::new());
}

#[test]
fn a_foreign_tool_in_the_tree_is_found() {
    let tree = "roost v0.1.0 (/x)\ncmake v0.1.0\ncmake-parser v1.0.0\nopenssl-sys v0.9 (*)\nserde v1.0.0";
    assert_eq!(forbidden(tree), ["cmake v0.1.0", "openssl-sys v0.9 (*)"]);
}
