//! The directories of parts in the data of an embedded engine.
//!
//! In: the engine's data on this machine's disk.  Out: what parts there are, and the highest block
//! number of a table.  Promise: a part that was there before a call and is there after it is seen.
//! Asking the engine instead (`system.parts`) costs as much as storing a small batch.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::record::TableKey;

/// Where the parts of tables lie, as far as that was asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Directories {
    known: Arc<Mutex<HashMap<TableKey, Vec<PathBuf>>>>,
}

impl Directories {
    fn known(&self) -> MutexGuard<'_, HashMap<TableKey, Vec<PathBuf>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets everything: tables may have been made anew.
    pub(super) fn forget(&self) {
        self.known().clear();
    }

    pub(super) fn learn(&self, table: TableKey, paths: Vec<PathBuf>) {
        self.known().insert(table, paths);
    }

    /// Where the parts of a table lie; `None` where nobody has said so yet.
    pub(super) fn of(&self, table: &TableKey) -> Option<Vec<PathBuf>> {
        self.known().get(table).cloned()
    }
}

/// The highest block number of a table whose parts lie in these directories; -1 where there is none.
pub(super) fn height(paths: &[PathBuf]) -> io::Result<i64> {
    let mut height = -1;
    for path in paths {
        for entry in std::fs::read_dir(path)? {
            let name = entry?.file_name();
            height = height.max(name.to_str().and_then(most_of).unwrap_or(-1));
        }
    }
    Ok(height)
}

/// The highest block number of a part by its name, as `ClickHouse` makes it:
/// `<partition>_<least>_<most>_<level>`, and `_<mutation>` behind that; no partition has a `_`.
/// `None` for what is no part, or none yet (`tmp_…`), or no longer one (`delete_tmp_…`).
fn most_of(name: &str) -> Option<i64> {
    let numbers: Option<Vec<i64>> = name.split('_').skip(1).map(|number| number.parse().ok()).collect();
    match numbers?.as_slice() {
        [_, most, _] | [_, most, _, _] => Some(*most),
        _ => None,
    }
}

/// The directories of all parts in the engine's data, as `store/abc/<table>/<part>`.
pub(super) fn part_directories(engine_data: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let store = engine_data.join("store");
    for table in
        folders(&store)?.iter().map(|prefix| folders(prefix)).collect::<io::Result<Vec<_>>>()?.concat()
    {
        for part in folders(&table)? {
            let name = part.strip_prefix(engine_data).ok().and_then(Path::to_str);
            found.extend(name.map(str::to_owned));
        }
    }
    Ok(found)
}

fn folders(of: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(of) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let folder = |entry: io::Result<std::fs::DirEntry>| match entry {
        Ok(entry) => match entry.file_type() {
            Ok(kind) => Ok(kind.is_dir().then(|| entry.path())),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    entries.filter_map(|entry| folder(entry).transpose()).collect()
}

/// True where the part at a path is among those that [`part_directories`] gave.
pub(super) fn was_noted(noted: &BTreeSet<String>, path: &str) -> bool {
    directory_of(path).is_some_and(|directory| noted.contains(directory))
}

/// The end of a part's path that [`part_directories`] would give.
fn directory_of(path: &str) -> Option<&str> {
    let path = path.trim_end_matches('/');
    let start = path.rmatch_indices('/').nth(3).map(|(place, _)| place + 1)?;
    path.get(start..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_height_is_that_of_the_highest_part() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().to_owned()];
        assert_eq!(height(&paths).unwrap(), -1);
        for name in [
            "all_1_3_1",
            "202611_4_4_0",
            "2026-11-27_5_7_2_9",
            "patch-0123456789abcdef-all_8_8_0",
            // None of these is a part.
            "tmp_insert_all_99_99_0",
            "tmp_merge_all_1_98_3",
            "tmp_mut_all_97_97_0_98",
            "delete_tmp_all_96_96_0",
            "detached",
            "format_version.txt",
            "all_95_95",
            "all_95_95_0_1_2",
            "",
        ] {
            if !name.is_empty() {
                std::fs::create_dir(folder.path().join(name)).unwrap();
            }
        }
        assert_eq!(height(&paths).unwrap(), 8);
    }

    #[test]
    fn a_table_whose_directory_is_gone_has_no_height() {
        let folder = tempfile::tempdir().unwrap();
        assert!(height(&[folder.path().join("gone")]).is_err());
    }

    #[test]
    fn a_part_is_known_by_the_end_of_its_path() {
        let noted = BTreeSet::from(["store/abc/abcdef/all_1_1_0".to_owned()]);
        assert!(was_noted(&noted, "/data/engine/store/abc/abcdef/all_1_1_0/"));
        assert!(!was_noted(&noted, "/data/engine/store/abc/abcdef/all_1_2_1/"));
        assert!(!was_noted(&noted, "all_1_1_0"));
    }
}
