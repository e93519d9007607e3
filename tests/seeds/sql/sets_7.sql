SELECT a IN b AS c, a IN d e, a IN (f) g
