SELECT in(a, b), notIn(a, (c)), globalNotNullIn(a, ws.d), nullInIgnoreSet(a, `e`), IN(a, f), in(a, b + 1), in(a, (SELECT 1 FROM g))
