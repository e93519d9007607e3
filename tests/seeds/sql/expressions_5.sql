SELECT a, from, from AS z, from + 1, from LIKE b, from IS NULL, from.x, from[1] FROM t
