SELECT joinGet('j', 'v', k), joinGetOrNull('ws.j', 'v', k), joinGet(j, 'v', k), joinGet(`ws`.`j`, 'v', k), joinGet($$h$$, 'v', k) FROM t
