SELECT a.id, b.name, c.* EXCEPT (secret, token) REPLACE (lower(c.email) AS email)
FROM orders a, (SELECT id, name FROM products) b INNER JOIN ws.customers AS c USING (customer_id), cities
WHERE a.product_id = b.id
