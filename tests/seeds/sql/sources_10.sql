SELECT 1 FROM events ARRAY JOIN arr AS a, arrayEnumerate(arr) AS i LEFT ARRAY JOIN tags JOIN t USING id
