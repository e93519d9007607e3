SELECT a FROM events
