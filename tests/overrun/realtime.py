"""A provider of realtime sessions that keeps its own account of what it billed: after the upgrade
it answers each frame of the client with a turn, told by a `response.done`, until the client or Weir
leaves. So one turn of a session at most is on its way at a time."""

import asyncio
import base64
import hashlib
import json
import threading

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
INPUT, OUTPUT = 100, 20  # tokens of each turn


# What a client sends for the next turn: masked, as clients must, by zeros.
ASK = bytes([0x81, 0x80 | 26]) + bytes(4) + b'{"type":"response.create"}'
DONE = b'"response.done"'


def frame(text):
    data = text.encode()
    head = bytes([0x81, len(data)]) if len(data) < 126 else bytes([0x81, 126]) + len(
        data).to_bytes(2, "big")
    return head + data


TURN = frame('{"type":"response.created","response":{"id":"r"}}') + frame(json.dumps(
    {"type": "response.done", "response": {"usage": {
        "total_tokens": INPUT + OUTPUT, "input_tokens": INPUT, "output_tokens": OUTPUT,
        "input_token_details": {"text_tokens": INPUT, "audio_tokens": 0, "cached_tokens": 0},
        "output_token_details": {"text_tokens": OUTPUT, "audio_tokens": 0}}}}))


class Realtime:
    """Runs in a thread of its own; `turns` is by the id that the client sent."""

    def __init__(self, turns_most=12):
        self.turns = {}
        self.turns_most = turns_most
        self.loop = asyncio.new_event_loop()
        started = threading.Event()
        threading.Thread(target=self._run, args=(started,), daemon=True).start()
        started.wait()

    def _run(self, started):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        started.set()
        self.loop.run_forever()

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)

    async def _serve(self, reader, writer):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            fields = {name.lower(): value.strip() for name, _, value in
                      (line.partition(":") for line in head.split("\r\n")[1:] if line)}
            accept = base64.b64encode(hashlib.sha1(
                (fields["sec-websocket-key"] + GUID).encode()).digest()).decode()
            writer.write(("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: "
                          f"upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n").encode())
            uid = fields.get("x-client-request-id", "")
            for _ in range(self.turns_most):
                await reader.readexactly(len(ASK))
                writer.write(TURN)
                self.turns[uid] = self.turns.get(uid, 0) + 1
                await writer.drain()
                await asyncio.sleep(0.01)  # the pace of a model
        except (OSError, asyncio.IncompleteReadError, KeyError):
            pass
        finally:
            writer.close()
