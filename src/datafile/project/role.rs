//! What a file of a project is, told by its path alone.

use super::super::Kind;

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role<'a> {
    /// A resource of the project; its folder means nothing.
    Datafile {
        /// By the extension.
        kind: Kind,
        /// By the stem.
        name: &'a str,
    },
    /// `vendor/<workspace>/...`: a data source that another workspace shares.
    Vendored {
        /// Who shares it.
        workspace: &'a str,
        /// What it is called there.
        name: &'a str,
    },
    /// Rows for a build, below `fixtures/`.
    Fixture {
        /// The data source, perhaps with a suffix.
        stem: &'a str,
        /// How the rows are written.
        format: FixtureFormat,
    },
    /// Tests of a pipe, below `tests/`.
    Test {
        /// The pipe.
        pipe: &'a str,
    },
    /// `.incl` and `.token` files of Classic.
    Legacy,
    /// Anything else.
    Other,
}

/// How the rows of a fixture are written; of several files for a data source the first kind wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FixtureFormat {
    /// One JSON object per line.
    Ndjson,
    /// Values separated by commas.
    Csv,
    /// A SELECT that makes the rows.
    Sql,
}

impl<'a> Role<'a> {
    /// Tells what the file of a path relative to the project folder is.
    pub fn of(path: &'a str) -> Self {
        let mut folders: Vec<&str> =
            path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let Some((stem, extension)) = folders.pop().and_then(|file| file.rsplit_once('.')) else {
            return Self::Other;
        };
        if let ["vendor", workspace, ..] = folders.as_slice() {
            return match Kind::from_extension(extension) {
                Some(Kind::Datasource) => Self::Vendored { workspace, name: vendored_name(workspace, stem) },
                _ => Self::Other,
            };
        }
        match extension {
            "incl" | "token" => Self::Legacy,
            "ndjson" if folders.contains(&"fixtures") => {
                Self::Fixture { stem, format: FixtureFormat::Ndjson }
            }
            "csv" if folders.contains(&"fixtures") => Self::Fixture { stem, format: FixtureFormat::Csv },
            "sql" if folders.contains(&"fixtures") => Self::Fixture { stem, format: FixtureFormat::Sql },
            "yaml" | "yml" if folders.contains(&"tests") => Self::Test { pipe: stem },
            extension => match Kind::from_extension(extension) {
                Some(kind) => Self::Datafile { kind, name: stem },
                None => Self::Other,
            },
        }
    }
}

/// The stem without the workspace, which some tools write in front.
fn vendored_name<'a>(workspace: &str, stem: &'a str) -> &'a str {
    stem.strip_prefix(workspace).and_then(|rest| rest.strip_prefix('.')).unwrap_or(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_tells_the_kind_and_the_folder_means_nothing() {
        let datasource = Role::Datafile { kind: Kind::Datasource, name: "events" };
        for path in [
            "events.datasource",
            "datasources/events.datasource",
            "./a/b/events.datasource",
            "pipes/events.datasource",
        ] {
            assert_eq!(Role::of(path), datasource, "{path}");
        }
        assert_eq!(Role::of("endpoints/top.pipe"), Role::Datafile { kind: Kind::Pipe, name: "top" });
        assert_eq!(Role::of("a.b.datasource"), Role::Datafile { kind: Kind::Datasource, name: "a.b" });
    }

    #[test]
    fn vendored_fixture_and_test_files_are_told_by_their_folder() {
        assert_eq!(
            Role::of("vendor/acme/datasources/x.datasource"),
            Role::Vendored { workspace: "acme", name: "x" }
        );
        assert_eq!(
            Role::of("vendor/acme/acme.x.datasource"),
            Role::Vendored { workspace: "acme", name: "x" }
        );
        assert_eq!(Role::of("vendor/acme/x.pipe"), Role::Other);
        assert_eq!(Role::of("fixtures/x.ndjson"), Role::Fixture { stem: "x", format: FixtureFormat::Ndjson });
        assert_eq!(
            Role::of("datasources/fixtures/x.csv"),
            Role::Fixture { stem: "x", format: FixtureFormat::Csv }
        );
        assert_eq!(Role::of("data/x.csv"), Role::Other);
        assert_eq!(Role::of("tests/top.yaml"), Role::Test { pipe: "top" });
        assert_eq!(Role::of("includes/x.incl"), Role::Legacy);
        assert_eq!(Role::of("README"), Role::Other);
    }
}
