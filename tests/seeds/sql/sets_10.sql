SELECT a IN NULL, a IN (true), a IN (NULL)
