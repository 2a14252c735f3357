"""The scripted provider: a threaded HTTP/1.1 server that answers by model name.

What is asked for a model without a script gets a small correct answer in the dialect of the path,
with the usage below. A script is a function of one Call; it may wait, break off or say anything.
"""

import http.server
import json
import socket
import socketserver
import ssl
import threading

INPUT_TOKENS = 10
OUTPUT_TOKENS = 5
WAIT_SECONDS_MAX = 120


class Call:
    """One request at the provider, and the means to answer it."""

    def __init__(self, handler, body):
        self.handler = handler
        self.path = handler.path.split("?")[0]
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.body = body

    def json(self):
        return json.loads(self.body)

    def token(self):
        return self.headers.get("authorization", "").removeprefix("Bearer ")

    def model(self):
        if "/models/" in self.path:
            return self.path.split("/models/")[1].split(":")[0]
        if "/deployments/" in self.path:
            return self.path.split("/deployments/")[1].split("/")[0]
        try:
            return json.loads(self.body).get("model", "")
        except (ValueError, AttributeError):
            return ""

    def answer(self, status=200, body=b"", headers=None, content_type="application/json"):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.handler.send_response(status)
        self.handler.send_header("content-type", content_type)
        self.handler.send_header("content-length", str(len(body)))
        for name, value in (headers or {}).items():
            self.handler.send_header(name, value)
        self.handler.end_headers()
        self.handler.wfile.write(body)

    # A stream, by hand.

    def begin(self, content_type="text/event-stream"):
        self.handler.send_response(200)
        self.handler.send_header("content-type", content_type)
        self.handler.send_header("transfer-encoding", "chunked")
        self.handler.end_headers()

    def write(self, data):
        if data:
            self.handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def event(self, data):
        text = data if isinstance(data, str) else json.dumps(data)
        self.write(f"data: {text}\n\n".encode())

    def delta(self, text):
        self.event({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
                    "choices": [{"index": 0, "delta": {"role": "assistant", "content": text},
                                 "finish_reason": None}]})

    def finish(self):
        self.event({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
                    "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.event({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
                    "choices": [], "usage": openai_usage()})
        self.event("[DONE]")
        self.handler.wfile.write(b"0\r\n\r\n")

    def cut(self):
        """Ends the connection here and now, whoever else holds the socket."""
        self.handler.close_connection = True
        self.handler.connection.shutdown(socket.SHUT_RDWR)

    def closed_by_peer(self):
        """Waits until Weir closes this connection; False when it does not."""
        connection = self.handler.connection
        connection.settimeout(WAIT_SECONDS_MAX)
        try:
            return connection.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True


def openai_usage():
    return {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS,
            "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS}


def small_answer(call):
    """A correct answer in the dialect of the path."""
    if call.path.endswith("/chat/completions"):
        if call.json().get("stream"):
            call.begin()
            call.delta("Hello")
            call.finish()
        else:
            call.answer(body={
                "id": "c1", "object": "chat.completion", "created": 1, "model": call.model(),
                "choices": [{"index": 0, "finish_reason": "stop",
                             "message": {"role": "assistant", "content": "Hello"}}],
                "usage": openai_usage()})
    elif "/models/" in call.path:
        call.answer(body={
            "candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]},
                            "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": INPUT_TOKENS,
                              "candidatesTokenCount": OUTPUT_TOKENS,
                              "totalTokenCount": INPUT_TOKENS + OUTPUT_TOKENS}})
    else:
        call.answer(404, {"error": {"message": f"nothing at {call.path}"}})


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 0  # every write is sent at once

    def do_POST(self):
        size = self.headers.get("content-length")
        if size is not None:
            body = self.rfile.read(int(size))
        else:
            body = self._chunked()
        call = Call(self, body)
        self.server.owner.take(call)

    do_GET = do_POST

    def _chunked(self):
        body = b""
        if self.headers.get("transfer-encoding") != "chunked":
            return body
        while True:
            size = int(self.rfile.readline(), 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return body

    def log_message(self, *words):
        pass


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    allow_reuse_address = True

    def get_request(self):
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address

    def finish_request(self, request, client_address):
        # The handshake runs on the connection's own thread: one that fails holds up no other.
        tls = self.owner.tls
        if tls is not None:
            request.settimeout(WAIT_SECONDS_MAX)
            request = tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        pass  # Weir may go away at any time; that is what is tested


class Upstream:
    def __init__(self, tls=None):
        self.tls = tls
        self.scripts = {}
        self.calls = []
        self.lock = threading.Lock()
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.owner = self
        self.port = self.server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def on(self, model, script):
        """Answers that model, or that whole path, by script(call)."""
        self.scripts[model] = script

    def take(self, call):
        script = self.scripts.get(call.path) or self.scripts.get(call.model()) or small_answer
        with self.lock:
            self.calls.append(call)
        script(call)

    def count(self, path_or_model):
        with self.lock:
            return sum(path_or_model in (call.path, call.model()) for call in self.calls)

    def gate(self, model):
        """Streams one delta, waits for open() and ends well. The Gate tells what happened."""
        gate = Gate()
        self.on(model, gate.script)
        return gate

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.close()


class Gate:
    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.opened = threading.Event()
        self.finished = threading.Semaphore(0)

    def script(self, call):
        call.begin()
        call.delta("first")
        self.begun.release()
        self.opened.wait(WAIT_SECONDS_MAX)
        call.delta("second")
        call.finish()
        self.finished.release()

    def open(self):
        self.opened.set()


def server_tls(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
