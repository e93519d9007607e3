//! The directories of parts in the data of an embedded engine.
//!
//! In: the engine's data on this machine's disk.  Out: what parts there are, and the highest block
//! number of a table.  Promise: a part that was there before a call and is there after it is seen.
//! Asking the engine instead (`system.parts`) costs as much as storing a small batch.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

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

/// The directories of all parts in the engine's data, as `store/abc/<table>/<part> <identity>`. The name alone
/// is not enough: where a merged part is damaged the engine sets it aside, and may merge what is left of its
/// sources under the same name, over a gap where one of them is missing.
pub(super) fn part_directories(engine_data: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let store = engine_data.join("store");
    for table in
        folders(&store)?.iter().map(|prefix| folders(prefix)).collect::<io::Result<Vec<_>>>()?.concat()
    {
        for part in folders(&table)? {
            let name = part.strip_prefix(engine_data).ok().and_then(Path::to_str);
            let identity = identity(&part)?;
            found.extend(name.map(|name| format!("{name} {identity}")));
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

/// What no other directory of a file system has: its number and when it was made.
fn identity(directory: &Path) -> io::Result<String> {
    use std::os::unix::fs::MetadataExt;
    let found = directory.metadata()?;
    // Not every file system knows when; the number of a directory that was set aside is not given out again.
    let made = found.created().ok().and_then(|made| made.duration_since(SystemTime::UNIX_EPOCH).ok());
    Ok(format!("{}@{}", found.ino(), made.unwrap_or_default().as_nanos()))
}

/// True where the part at a path is among those that [`part_directories`] gave, and no other that has come
/// into its place.
pub(super) fn was_noted(noted: &BTreeSet<String>, path: &str) -> bool {
    let Some(name) = directory_of(path) else { return false };
    let begin = format!("{name} ");
    let same_name = noted.range(begin.clone()..).next().filter(|known| known.starts_with(&begin));
    match (same_name, identity(Path::new(path))) {
        (Some(known), Ok(identity)) => known.strip_prefix(&begin) == Some(identity.as_str()),
        // The engine still names what it has removed since.
        (Some(_), Err(_)) => true,
        // Noted by a server that took the name alone.
        (None, _) => noted.contains(name),
    }
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

    /// An engine's data with one part; its path as the engine gives it.
    fn data() -> (tempfile::TempDir, PathBuf, String) {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("store/abc/abcdef/all_1_3_1");
        std::fs::create_dir_all(&part).unwrap();
        let path = format!("{}/", part.to_str().unwrap());
        (folder, part, path)
    }

    #[test]
    fn a_part_is_known_by_the_end_of_its_path() {
        let (folder, part, path) = data();
        let noted: BTreeSet<String> = part_directories(folder.path()).unwrap().into_iter().collect();
        assert!(was_noted(&noted, &path));
        std::fs::create_dir_all(part.with_file_name("all_1_3_1_7")).unwrap();
        assert!(!was_noted(&noted, &path.replace("all_1_3_1/", "all_1_3_1_7/")), "it came later");
        assert!(!was_noted(&noted, "all_1_3_1"));
        std::fs::remove_dir(part).unwrap();
        assert!(was_noted(&noted, &path), "it was there, and was removed since");
    }

    #[test]
    fn another_part_in_the_place_of_a_damaged_one_is_not_taken_for_it() {
        let (folder, part, path) = data();
        let noted: BTreeSet<String> = part_directories(folder.path()).unwrap().into_iter().collect();
        std::fs::create_dir(part.with_file_name("detached")).unwrap();
        std::fs::rename(&part, part.with_file_name("detached").join("broken-on-start_all_1_3_1")).unwrap();
        std::fs::create_dir(&part).unwrap();
        assert!(!was_noted(&noted, &path));
    }

    #[test]
    fn parts_that_an_older_server_noted_are_known_by_name() {
        let (_folder, _, path) = data();
        assert!(was_noted(&BTreeSet::from(["store/abc/abcdef/all_1_3_1".to_owned()]), &path));
        assert!(!was_noted(&BTreeSet::from(["store/abc/abcdef/all_1_3_2".to_owned()]), &path));
    }
}
