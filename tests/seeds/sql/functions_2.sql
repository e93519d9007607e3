WITH j AS (SELECT 1) SELECT joinGet(j, 'v', 1) FROM j
