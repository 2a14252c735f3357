"""A provider with fixed answers, on loopback: chat and messages, whole and streamed.

Asks nothing of the machine but a thread per connection. It answers what the path and the body's
"stream" say, keeps connections alive, and reads a request strictly by its content-length.
"""
import json
import socket
import threading

TEXT = "The quick brown fox jumps over the lazy dog and goes on to the river. "
CHUNKS = 100  # content events of a streamed answer


def chat_whole():
    return {
        "id": "chatcmpl-Bx0000000000000000000000000",
        "object": "chat.completion",
        "created": 1760000000,
        "model": "bench-model-2025",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT * 9,
                                             "refusal": None, "annotations": []},
                     "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 200, "completion_tokens": 140, "total_tokens": 340,
                  "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                  "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0,
                                                "accepted_prediction_tokens": 0,
                                                "rejected_prediction_tokens": 0}},
        "service_tier": "default",
        "system_fingerprint": "fp_0000000000",
    }


def messages_whole():
    return {
        "id": "msg_010000000000000000000000", "type": "message", "role": "assistant",
        "model": "bench-model-2025", "content": [{"type": "text", "text": TEXT * 11}],
        "stop_reason": "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": 200, "cache_creation_input_tokens": 0,
                  "cache_read_input_tokens": 0, "output_tokens": 140, "service_tier": "standard"},
    }


def chat_events():
    base = {"id": "chatcmpl-Bx0000000000000000000000000", "object": "chat.completion.chunk",
            "created": 1760000000, "model": "bench-model-2025", "service_tier": "default",
            "system_fingerprint": "fp_0000000000"}

    def chunk(delta, finish=None):
        return {**base, "choices": [{"index": 0, "delta": delta, "logprobs": None,
                                     "finish_reason": finish}], "usage": None}
    yield None, chunk({"role": "assistant", "content": "", "refusal": None})
    for number in range(CHUNKS):
        yield None, chunk({"content": f" word{number}"})
    yield None, chunk({}, "stop")
    yield None, {**base, "choices": [], "usage": chat_whole()["usage"]}


def messages_events():
    start = messages_whole()
    yield "message_start", {"type": "message_start", "message": {
        **start, "content": [], "stop_reason": None,
        "usage": {**start["usage"], "output_tokens": 1}}}
    yield "content_block_start", {"type": "content_block_start", "index": 0,
                                  "content_block": {"type": "text", "text": ""}}
    for number in range(CHUNKS):
        yield "content_block_delta", {"type": "content_block_delta", "index": 0,
                                      "delta": {"type": "text_delta", "text": f" word{number}"}}
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    yield "message_delta", {"type": "message_delta",
                            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                            "usage": {"output_tokens": 140}}
    yield "message_stop", {"type": "message_stop"}


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def sse(events, end=""):
    return [(f"event: {name}\n" if name else "") + f"data: {compact(value)}\n\n"
            for name, value in events] + ([end] if end else [])


HEAD = ("HTTP/1.1 200 OK\r\ndate: Sun, 22 Nov 2026 12:00:00 GMT\r\nserver: bench\r\n"
        "x-request-id: req_000000000000000000000000\r\nopenai-processing-ms: 5\r\n"
        "x-ratelimit-remaining-requests: 9999\r\ncache-control: no-store\r\n")


def whole_answer(value):
    body = compact(value)
    return [f"{HEAD}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            .encode() + body.encode()]


def streamed_answer(events):
    """Each event in a write of its own, as a model gives them."""
    head = f"{HEAD}content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    parts = [f"{len(event):x}\r\n{event}\r\n".encode() for event in events]
    return [head.encode(), *parts, b"0\r\n\r\n"]


ANSWERS = {
    ("chat", False): whole_answer(chat_whole()),
    ("chat", True): streamed_answer(sse(chat_events(), "data: [DONE]\n\n")),
    ("messages", False): whole_answer(messages_whole()),
    ("messages", True): streamed_answer(sse(messages_events())),
}


class Upstream:
    """Listens from construction; `port` tells where. close() ends it.

    With `paced`, the next part of an answer is sent when the client has said that it has the one
    before it (`next.release()`), or after 50 ms, as not every event is worth one to the client:
    each event is a read and a write of its own, however busy the machine is.
    """

    def __init__(self, paced=False):
        self.next = threading.Semaphore(0) if paced else None
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        data = b""
        with connection:
            while True:
                while b"\r\n\r\n" not in data:
                    more = connection.recv(65536)
                    if not more:
                        return
                    data += more
                head, _, data = data.partition(b"\r\n\r\n")
                fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:])
                length = int(fields[b"content-length"])
                while len(data) < length:
                    data += connection.recv(65536)
                body, data = data[:length], data[length:]
                kind = "messages" if head.split(b" ", 2)[1].endswith(b"/messages") else "chat"
                for number, part in enumerate(ANSWERS[kind, b'"stream":true' in body]):
                    if self.next and number:
                        self.next.acquire(timeout=0.05)
                    connection.sendall(part)
