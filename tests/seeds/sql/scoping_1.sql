WITH events AS (SELECT 1) SELECT * FROM events, (SELECT * FROM events) x WHERE 1 IN (SELECT * FROM events)
