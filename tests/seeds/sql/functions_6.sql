SELECT joinGet((j), 'v', 1)
