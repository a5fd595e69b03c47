"""The load's process: `python -m bench.sender HOST PORT KEY PHONES CONNECTIONS ROOM OUTPUT`.

Takes one JSON line a run on stdin, `{"seconds","rate","limit"}`, and answers it with one; writes all times at the end.
"""

import sys
from pathlib import Path

import msgspec

from bench.load import Load
from bench.programs import say
from bench.swarm import number_of

TEXT = "0000000000 Your order has been shipped and will arrive tomorrow between 9 and 12 o'clock."


class Run(msgspec.Struct):
    seconds: float
    rate: float = 0.0
    limit: int = -1


def main() -> None:
    host, port, key, phones, connections, room, output = sys.argv[1:]
    requests = [request_of(f"{host}:{port}", key, number_of(index)) for index in range(int(phones))]
    marks = [request.rindex(TEXT.encode()) for request in requests]
    load = Load(host, int(port), requests, marks, int(connections), int(room))
    say(ready="load")
    for line in sys.stdin.buffer:
        run = msgspec.json.decode(line, type=Run)
        first, refused = load.sent, load.refused
        load.run(run.seconds, run.rate, run.limit)
        say(first=first, sent=load.sent - first, refused=load.refused - refused, why=load.last_refusal)
    Path(output).write_bytes(load.due.tobytes() + load.accepted.tobytes())


def request_of(host: str, key: str, number: str) -> bytes:
    body = msgspec.json.encode({"to": number, "type": "text", "text": {"body": TEXT}})
    head = (
        f"POST /v1/messages HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    main()
