SELECT a, from FROM t
