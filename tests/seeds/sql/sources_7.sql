SELECT q FROM t AS a (q, w), u b(q)
