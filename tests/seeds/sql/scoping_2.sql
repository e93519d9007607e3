WITH events AS (SELECT * FROM events WHERE 1) SELECT * FROM events
