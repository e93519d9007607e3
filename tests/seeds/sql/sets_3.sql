SELECT a IN (b, c), a IN (b,), a IN ((b), (c)), a IN [b], a IN (1), a IN ('x'), a IN tuple(b), a IN -b
