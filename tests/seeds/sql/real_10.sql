SELECT level, count() AS c FROM (
    SELECT user_id, windowFunnel(3600)(timestamp, event = 'visit', event = 'sign_up', event = 'purchase') AS level
    FROM events WHERE timestamp > now() - toIntervalDay(7) AND user_id GLOBAL NOT IN (SELECT user_id FROM bots) GROUP BY user_id
) GROUP BY level WITH TOTALS ORDER BY level
