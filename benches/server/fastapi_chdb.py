"""What a team writes in an afternoon: events over HTTP into ClickHouse, in one process.

fastapi_chdb.py <directory> <CREATE TABLE …>: prints the port where it serves. Wants fastapi, uvicorn and chdb.
"""

import socket
import sys

import uvicorn
from chdb.session import Session
from fastapi import FastAPI, Request

app = FastAPI()
session = Session(sys.argv[1])
session.query("CREATE DATABASE script")
session.query(sys.argv[2])


@app.post("/v0/events", status_code=202)
async def take(request: Request):
    body = await request.body()
    session.query("INSERT INTO script.events FORMAT JSONEachRow\n" + body.decode())
    return {"successful_rows": body.count(b"\n"), "quarantined_rows": 0}


listener = socket.socket()
listener.bind(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
uvicorn.run(app, fd=listener.fileno(), log_level="error")
