SELECT a IN b + 1, a IN b::UInt8, a IN b[1], a IN (b).x, a IN b.1, a IN b || 'x', a IN b * 2, a IN b DIV 2
