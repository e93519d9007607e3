-- Roost's own metadata. {database} is the setting engine.metadata_database.
-- Every row is on disk before its statement returns: these tables are small and everything else
-- depends on them.

CREATE DATABASE IF NOT EXISTS {database} ENGINE = Atomic;

-- The numbered files of this directory that have been applied.
CREATE TABLE IF NOT EXISTS {database}.migrations
(
    version UInt32,
    name String,
    applied_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree
ORDER BY version
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, old_parts_lifetime = 480;

-- The data sources and pipes of every workspace as they were last loaded. A resource whose file is
-- gone keeps its row, with the state 'gone'.
CREATE TABLE IF NOT EXISTS {database}.resources
(
    workspace_id UUID,
    kind Enum8('datasource' = 1, 'pipe' = 2),
    name String,
    state Enum8('live' = 1, 'gone' = 2),
    content_hash String,
    definition String,
    loaded_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(loaded_at)
ORDER BY (workspace_id, kind, name)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, old_parts_lifetime = 480;
