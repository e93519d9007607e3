SELECT count() FROM events_quarantine WHERE c__error != [] UNION ALL SELECT count() FROM tinybird.pipe_stats_rt UNION ALL SELECT count() FROM other_ws.events
