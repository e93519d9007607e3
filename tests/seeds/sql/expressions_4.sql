SELECT from, t.from, f(from), (a, from), a + from, NOT from, CASE WHEN from THEN from ELSE from END FROM t WHERE from > 1 GROUP BY a, from ORDER BY from DESC
