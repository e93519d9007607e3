SELECT user_id, tag, i, attributes['plan'] AS plan, arrayFilter((v, k) -> k LIKE 'utm_%' AND v != '', mapValues(attributes), mapKeys(attributes)) AS utm
FROM users LEFT ARRAY JOIN tags AS tag, arrayEnumerate(tags) AS i
WHERE length(tags) > 0 OR notEmpty(attributes)
