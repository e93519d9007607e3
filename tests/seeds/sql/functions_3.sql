SELECT dictGet('d', 'x', 1), dictGetOrDefault('ws.d', 'x', 1, 2), dictHas(d, 1), dictIsIn(concat('a', 'b'), 1, 2)
