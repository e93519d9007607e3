SELECT position('a' IN b), POSITION(a IN (b)) FROM t
