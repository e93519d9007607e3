WITH
    (SELECT max(timestamp) FROM events) AS last_seen,
    toDate(last_seen) - INTERVAL 30 DAY AS start,
    arrayMap(x -> start + x, range(30)) AS days,
    'visitor' || '-' || toString(1) AS label,
    sessions AS (SELECT session_id, any(country) AS country FROM events WHERE date >= start GROUP BY session_id)
SELECT s.country, count() AS c, label, has(days, today()) FROM sessions s GROUP BY s.country ORDER BY c DESC LIMIT 10
