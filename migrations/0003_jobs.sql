-- Work that was asked for over the API and goes on by itself. A job is written here before its caller is
-- answered, and again when it has ended; one without an end is begun again at the next start. Old ones are
-- removed by their ids and not by TTL, which could take the end of a job before its beginning.

CREATE TABLE IF NOT EXISTS {database}.jobs
(
    workspace_id UUID,
    id UUID,
    kind Enum8('delete_data' = 1),
    status Enum8('waiting' = 1, 'done' = 2, 'error' = 3, 'cancelled' = 4),
    data_source String,
    condition String,
    -- Empty: any.
    partition String,
    rows_affected UInt64,
    error String,
    created_at DateTime64(6, 'UTC'),
    started_at Nullable(DateTime64(6, 'UTC')),
    updated_at DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (workspace_id, id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, old_parts_lifetime = 480;
