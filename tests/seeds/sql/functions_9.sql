SELECT * FROM ws.events(1)
