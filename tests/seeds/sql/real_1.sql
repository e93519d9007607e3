SELECT toStartOfDay(timestamp) AS day, countIf(action = 'page_hit') AS hits, uniqMerge(visits) AS visits, quantilesTDigest(0.5, 0.95)(duration)[2] AS p95
FROM analytics_sessions_mv
PREWHERE tenant_id = 'a' AND timestamp BETWEEN toDateTime('2024-01-01 00:00:00') AND now()
GROUP BY day HAVING hits > 0
ORDER BY day ASC WITH FILL FROM toStartOfDay(toDate('2024-01-01')) TO today() STEP INTERVAL 1 DAY
LIMIT 1000
