"""Weir with everything on, for measurements: config, start, one client connection."""
import json
import pathlib
import signal
import socket
import subprocess
import time
import urllib.request

KEY = "bench-key-0123456789abcdef0123456789abcdef"

CONFIG = """
server: {{ listen: "127.0.0.1:{listen}", workers: 1 }}
admin: {{ listen: "127.0.0.1:{admin}" }}
data_dir: "{data}"
log: {{ level: warn }}
defaults: {{ timeouts: {{ connect: 60s, first_token: 120s, idle: 120s }} }}
accounts:
  - {{ name: chat, provider: openai_compatible, endpoint: "http://127.0.0.1:{upstream}/v1" }}
  - {{ name: messages, provider: anthropic, endpoint: "http://127.0.0.1:{upstream}", api_key: k }}
models:
  - {{ name: same, deployments: [{{ account: chat, model: bench-model-2025 }}] }}
  - {{ name: translated, deployments: [{{ account: messages, model: bench-model-2025 }}] }}
prices:
  - {{ provider: openai_compatible, model: bench-model-2025, valid_from: "2020-01-01",
       usd_per_million: {{ input: 1, output: 4, cache_read: 0.1 }} }}
  - {{ provider: anthropic, model: bench-model-2025, valid_from: "2020-01-01",
       usd_per_million: {{ input: 3, output: 15, cache_read: 0.3 }} }}
keys:
  - name: bench
    key: "{key}"
    limits: {{ rpm: 1000000000, tpm: 1000000000000, concurrency: 100000 }}
    budget: {{ usd: 1000000, per: month }}
"""

PROMPT = ("Summarise the following report for a reader in a hurry, in three sentences. " * 12)[:830]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def request_body(model, stream):
    """1 KiB of chat request, as an SDK writes it."""
    body = {"model": model,
            "messages": [{"role": "system", "content": "You are a helpful assistant."},
                         {"role": "user", "content": PROMPT}],
            "temperature": 0.7, "max_tokens": 256}
    if stream:
        body["stream"] = True
    return json.dumps(body, separators=(",", ":")).encode()


def request_bytes(port, model, stream):
    """A whole request with the header fields of an OpenAI SDK."""
    body = request_body(model, stream)
    head = (f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
            "accept: application/json\r\naccept-encoding: identity\r\n"
            "content-type: application/json\r\nuser-agent: OpenAI/Python 2.8.0\r\n"
            "x-stainless-lang: python\r\nx-stainless-package-version: 2.8.0\r\n"
            "x-stainless-runtime: CPython\r\n"
            f"authorization: Bearer {KEY}\r\ncontent-length: {len(body)}\r\n\r\n")
    return head.encode() + body


class Weir:
    """A running `weir serve` in `folder`, under `wrapper` (a command before it) if given."""

    def __init__(self, upstream_port, folder, program, wrapper=()):
        self.port, self.admin = free_port(), free_port()
        folder = pathlib.Path(folder)
        config = folder / "weir.yaml"
        config.write_text(CONFIG.format(listen=self.port, admin=self.admin, data=folder / "data",
                                        upstream=upstream_port, key=KEY))
        self.log = open(folder / "weir.log", "wb")
        self.process = subprocess.Popen(
            [*wrapper, str(program), "serve", "-c", str(config)],
            stdout=self.log, stderr=self.log)
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5):
                    return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        self.stop()
        raise SystemExit("weir did not start: " + (folder / "weir.log").read_text()[-2000:])

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
        self.log.close()


class Client:
    """One kept-alive connection that sends the same request again and again."""

    def __init__(self, port, model, stream):
        self.request = request_bytes(port, model, stream)
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, on_part=lambda: None):
        """One call; the whole answer's bytes. `on_part` is called for each part that arrived."""
        self.connection.sendall(self.request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        on_part()
        head = data.partition(b"\r\n\r\n")[0].lower()
        if not head.startswith(b"http/1.1 200"):
            raise SystemExit(f"not a 200: {data[:500]!r}")
        if b"transfer-encoding: chunked" in head:
            while not data.endswith(b"\r\n0\r\n\r\n"):
                data += self._more()
                on_part()
        else:
            length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            while len(data) < len(head) + 4 + length:
                data += self._more()
        return data

    def _more(self):
        more = self.connection.recv(262144)
        if not more:
            raise SystemExit("weir closed the connection")
        return more
