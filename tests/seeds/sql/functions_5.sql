WITH 'j' AS q SELECT joinGet(j AS z, 'v', 1)
