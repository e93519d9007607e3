//! The walls around the engine's process.
//!
//! libchdb is no sandbox: `file()` reads any file and `INTO OUTFILE` writes one, whatever its
//! settings say. Landlock leaves the process its data directory and a short list of read-only
//! places; seccomp takes away network sockets, new programs and the kernel's sharper tools.
//! Both bind the calling thread and the threads it starts, so [`enter`] runs before any exists.

use std::path::Path;

use crate::config::Sandbox;

/// Why the walls do not stand.
#[derive(Debug, thiserror::Error)]
pub(super) enum SandboxError {
    #[error("the sandbox was to be entered before any thread exists, but {0} threads do")]
    Threads(usize),
    #[error("this kernel cannot confine the engine ({0}); set engine.sandbox = \"off\" to run without walls")]
    Unavailable(String),
}

/// Puts up the walls as far as the kernel has them.
///
/// `Preferred` warns where something is missing, `Required` fails, `Off` does nothing.
pub(super) fn enter(mode: Sandbox, data_path: &Path) -> Result<(), SandboxError> {
    if mode == Sandbox::Off {
        tracing::warn!("the engine runs without a sandbox: SQL that reaches it can read this user's files");
        return Ok(());
    }
    platform::require_single_thread()?;
    match (platform::confine(data_path), mode) {
        (Ok(()), _) => Ok(()),
        (Err(missing), Sandbox::Required) => Err(SandboxError::Unavailable(missing)),
        (Err(missing), _) => {
            tracing::warn!(%missing, "this kernel confines the engine only in part");
            Ok(())
        }
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use std::collections::BTreeMap;
    use std::path::Path;

    use landlock::{
        ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr,
        RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    };
    use seccompiler::{
        SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
        apply_filter,
    };

    use super::SandboxError;

    /// What the library reads besides its data. `/proc/self` is needed to start at all; the engine
    /// asks the others for memory, cores, time zones and randomness, and does without where they
    /// are missing.
    const DIRECTORIES: [&str; 7] = [
        "/proc/self",
        "/proc/sys/vm",
        "/proc/sys/kernel",
        "/sys/fs/cgroup",
        "/sys/devices/system",
        "/sys/kernel/mm",
        "/usr/share/zoneinfo",
    ];
    const FILES: [&str; 6] =
        ["/proc/meminfo", "/proc/stat", "/proc/loadavg", "/proc/uptime", "/proc/cpuinfo", "/etc/localtime"];
    const DEVICES: [&str; 2] = ["/dev/urandom", "/dev/null"];

    /// System calls that a database has no use for.
    const FORBIDDEN: [libc::c_long; 22] = [
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_io_uring_setup,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_kexec_load,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_reboot,
    ];

    pub(super) fn require_single_thread() -> Result<(), SandboxError> {
        // Where /proc cannot be read, nothing is known and the walls are put up anyway.
        let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
        if threads == 1 { Ok(()) } else { Err(SandboxError::Threads(threads)) }
    }

    pub(super) fn confine(data_path: &Path) -> Result<(), String> {
        let files = confine_files(data_path).map_err(|error| error.to_string())?;
        forbid_calls()?;
        match files {
            RulesetStatus::FullyEnforced => Ok(()),
            RulesetStatus::PartiallyEnforced => {
                Err("its Landlock lacks some of the rules of version 6".to_owned())
            }
            RulesetStatus::NotEnforced => Err("it has no Landlock".to_owned()),
        }
    }

    fn confine_files(data_path: &Path) -> Result<RulesetStatus, RulesetError> {
        let abi = ABI::V6;
        let mut rules = Ruleset::default()
            .handle_access(AccessFs::from_all(abi))?
            .handle_access(AccessNet::from_all(abi))?
            .scope(Scope::from_all(abi))?
            .create()?;
        rules = allow(rules, data_path, AccessFs::from_all(abi) & !BitFlags::from(AccessFs::Execute))?;
        for path in DIRECTORIES {
            rules = allow(rules, Path::new(path), AccessFs::ReadFile | AccessFs::ReadDir)?;
        }
        for path in FILES {
            rules = allow(rules, Path::new(path), AccessFs::ReadFile)?;
        }
        for path in DEVICES {
            rules = allow(rules, Path::new(path), AccessFs::ReadFile | AccessFs::WriteFile)?;
        }
        Ok(rules.restrict_self()?.ruleset)
    }

    /// Opens a place; one that does not exist on this machine is left closed.
    fn allow(
        rules: RulesetCreated,
        path: &Path,
        access: impl Into<BitFlags<AccessFs>>,
    ) -> Result<RulesetCreated, RulesetError> {
        match PathFd::new(path) {
            Ok(place) => rules.add_rule(PathBeneath::new(place, access)),
            Err(_) => Ok(rules),
        }
    }

    fn forbid_calls() -> Result<(), String> {
        let architecture =
            std::env::consts::ARCH.try_into().map_err(|_| "seccomp does not know this processor")?;
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
            FORBIDDEN.iter().map(|&call| (call, Vec::new())).collect();
        rules.insert(libc::SYS_socket, vec![network_sockets().map_err(|error| error.to_string())?]);
        let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, architecture)
            .map_err(|error| error.to_string())?;
        let program: seccompiler::BpfProgram =
            filter.try_into().map_err(|error: seccompiler::BackendError| error.to_string())?;
        apply_filter(&program).map_err(|error| format!("it has no seccomp: {error}"))
    }

    /// Sockets other than Unix ones and netlink, by which the engine lists interfaces. Landlock
    /// stops TCP only: this stops UDP, and with it name lookups.
    fn network_sockets() -> Result<SeccompRule, seccompiler::BackendError> {
        let other_than = |family: libc::c_int| {
            SeccompCondition::new(
                0,
                SeccompCmpArgLen::Dword,
                SeccompCmpOp::Ne,
                u64::from(family.unsigned_abs()),
            )
        };
        SeccompRule::new(vec![other_than(libc::AF_UNIX)?, other_than(libc::AF_NETLINK)?])
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::path::Path;

    use super::SandboxError;

    pub(super) fn require_single_thread() -> Result<(), SandboxError> {
        Ok(())
    }

    pub(super) fn confine(_data_path: &Path) -> Result<(), String> {
        Err("Landlock and seccomp are parts of Linux".to_owned())
    }
}
