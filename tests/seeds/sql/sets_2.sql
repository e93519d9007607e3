SELECT a IN (b), a IN ((`c`)), a IN ( ( d.e ) )
