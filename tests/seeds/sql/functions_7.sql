SELECT joinGet('a.b.c', 'v', 1)
