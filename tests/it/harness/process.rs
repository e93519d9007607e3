//! The engine's process, found by its arguments and treated badly.

use std::ffi::OsStr;
use std::path::Path;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, Signal, System, UpdateKind};

/// One process of `roost engine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EngineProcess(Pid);

/// The process of the engine that works on `data`, if there is one.
pub(crate) fn engine_of(data: &Path) -> Option<EngineProcess> {
    let mut system = System::new().unwrap();
    let wanted = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always).without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, wanted);
    let runs_on = |arguments: &[std::ffi::OsString]| {
        arguments.get(1).is_some_and(|word| word == "engine")
            && arguments.iter().any(|word| word.as_os_str() == OsStr::new(data))
    };
    let found = system.processes().values().find(|process| runs_on(process.cmd()));
    found.map(|process| EngineProcess(process.pid()))
}

impl EngineProcess {
    /// Its process number.
    pub(crate) fn id(self) -> u32 {
        self.0.as_u32()
    }

    /// `kill -9`.
    pub(crate) fn kill(self) {
        self.signal(Signal::Kill);
    }

    /// `kill -9`, if it still runs.
    pub(crate) fn kill_if_alive(self) {
        if let Some(process) = self.look().process(self.0) {
            process.kill_with(Signal::Kill);
        }
    }

    /// Stops it from running, without ending it.
    pub(crate) fn freeze(self) {
        self.signal(Signal::Stop);
    }

    /// Whether the process still runs. One that ended but was not reaped does not.
    pub(crate) fn is_alive(self) -> bool {
        use sysinfo::ProcessStatus::{Dead, Zombie};
        let system = self.look();
        system.process(self.0).is_some_and(|process| !matches!(process.status(), Dead | Zombie))
    }

    /// Memory that it holds, in bytes.
    pub(crate) fn resident_bytes(self) -> u64 {
        self.look().process(self.0).map_or(0, sysinfo::Process::memory)
    }

    fn signal(self, signal: Signal) {
        let system = self.look();
        let process = system.process(self.0).expect("the engine's process is there");
        assert_eq!(process.kill_with(signal), Some(true));
    }

    fn look(self) -> System {
        let mut system = System::new().unwrap();
        let wanted = ProcessRefreshKind::nothing().with_memory().without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[self.0]), true, wanted);
        system
    }
}
