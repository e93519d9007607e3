SELECT extract(YEAR FROM day), substring(name FROM 2 FOR 3), trim(BOTH 'x' FROM name), overlay(a PLACING b FROM 1 FOR 2) FROM t
