SELECT id, argMax(status, updated_at) AS status, tupleElement(t, 1), t.1 AS first, t.2.1::Nullable(Float64)
FROM (SELECT *, (a, (b, c)) AS t FROM orders FINAL WHERE NOT is_deleted ORDER BY updated_at DESC LIMIT 1 BY id)
GROUP BY id, t
