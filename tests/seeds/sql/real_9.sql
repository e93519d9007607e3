SELECT toDate(timestamp) AS date, device, countState() AS hits, uniqState(session_id) AS visits, anySimpleState(country) AS country,
    quantilesState(0.9, 0.99)(latency) AS latency
FROM analytics_pages GROUP BY date, device
