SELECT a IN b AND 1, a IN c = 1, a IN d IS NULL, a IN e ? 1 : 2, a IN f IN g, NOT a IN h, a IN i BETWEEN 1 AND 2, a IN j LIKE 'x'
