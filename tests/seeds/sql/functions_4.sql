SELECT joinGet(concat('ws', '.j'), 'v', 1)
