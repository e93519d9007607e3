-- What was changed about tokens over the API: those made there, and those of TOKEN lines that were
-- refreshed or widened there. No row holds a token's text: it is derived from the workspace's secret,
-- the id and the generation.

CREATE TABLE IF NOT EXISTS {database}.tokens
(
    workspace_id UUID,
    id UUID,
    name String,
    description String,
    -- The lines of the project made it, or a call of the API.
    origin Enum8('project' = 1, 'api' = 2),
    -- Refreshes so far: every one makes another text.
    generation UInt32,
    -- What was given over the API, in the grammar SCOPE:TYPE[:resource][:filter].
    scopes Array(String),
    state Enum8('live' = 1, 'deleted' = 2),
    -- Changes so far: the highest row of an id counts.
    revision UInt32,
    changed_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (workspace_id, id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, old_parts_lifetime = 480;
