//! The rooms of the house and the arrows between them, as `docs/ARCHITECTURE.md` draws them.

/// A room: a module at the top of the crate.
pub(super) struct Room {
    pub(super) name: &'static str,
    uses: Uses,
}

enum Uses {
    /// These rooms, or parts of rooms, and itself.
    Only(&'static [&'static str]),
    /// Whatever it needs: the places which know concrete types.
    Everything,
}

use Uses::{Everything, Only};

/// Leaves beside the floors, for every room that is not pure.
const LEAVES: [&str; 3] = ["config", "telemetry", "clock"];

/// Rooms of pure functions over data: no settings, no clock, no logs.
const PURE: [&str; 5] = ["syntax", "schema", "datafile", "template", "sql"];

const HOUSE: [Room; 21] = [
    // Floor 0 and 1: pure.
    room("syntax", Only(&[])),
    room("schema", Only(&["syntax"])),
    room("datafile", Only(&["syntax", "schema"])),
    room("template", Only(&["syntax"])),
    room("sql", Only(&["syntax"])),
    // Floor 2: the port and the model.
    room("engine", Only(&["schema"])),
    room("catalog", Only(&["syntax", "schema", "datafile", "template", "sql", "engine"])),
    // Floor 3: services.
    room("auth", Only(&["catalog", "sql"])),
    room("ingest", Only(&["catalog", "engine", "schema", "sql", "auth"])),
    room("query", Only(&["catalog", "engine", "template", "sql", "auth"])),
    room("deploy", Only(&["syntax", "catalog", "engine", "ingest", "datafile", "template", "schema", "sql"])),
    // Floor 4: actors.
    room("connectors", Only(&["ingest", "catalog"])),
    room("jobs", Only(&["query", "ingest", "deploy", "connectors", "engine", "catalog"])),
    // Floor 5: doors.
    room(
        "http",
        Only(&[
            "catalog",
            "auth",
            "ingest",
            "query",
            "deploy",
            "connectors",
            "jobs",
            "syntax",
            "template::params",
        ]),
    ),
    room("ui", Only(&[])),
    room("cli", Everything),
    // Beside the floors: leaves.
    room("config", Only(&[])),
    room("telemetry", Only(&["config"])),
    room("clock", Only(&[])),
    // The roof; `lib.rs` and `main.rs` are on it too.
    room("app", Everything),
    room("server", Everything),
];

const fn room(name: &'static str, uses: Uses) -> Room {
    Room { name, uses }
}

impl Room {
    /// The room with this name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        static ROOMS: [Room; 21] = HOUSE;
        ROOMS.iter().find(|room| room.name == name)
    }

    /// Whether the room may use what a path from the crate's root leads to.
    pub(super) fn may_use(&self, path: &[String]) -> bool {
        let Only(allowed) = self.uses else { return true };
        let leads_into = |place: &str| {
            let mut segments = path.iter().map(String::as_str);
            place.split("::").all(|segment| segments.next() == Some(segment))
        };
        let is_leaf = LEAVES.contains(&self.name);
        let may_use_leaves = !PURE.contains(&self.name) && !is_leaf;
        leads_into(self.name)
            || allowed.iter().any(|place| leads_into(place))
            || (may_use_leaves && LEAVES.iter().any(|leaf| leads_into(leaf)))
    }
}
