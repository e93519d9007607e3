SELECT case, interval, date, with, in.x, "union", format, values, left, index.1 FROM t
