SELECT day, sum(amount) OVER (PARTITION BY account ORDER BY day ASC ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS week,
    lagInFrame(amount, 1, 0) OVER w AS previous, row_number() OVER (PARTITION BY account ORDER BY day DESC) rn, amount - previous AS change
FROM ledger WINDOW w AS (PARTITION BY account ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
QUALIFY rn <= 10
