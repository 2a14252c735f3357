#!/usr/bin/env python3
"""The README's first minute: `./dev run`, a streamed answer, the metrics, an orderly stop.

Listens on Weir's default ports, so it wants a network of its own. Exit code 0 means all of it
happened; otherwise the last line says what did not.
"""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

GATEWAY = "http://127.0.0.1:8080"
ADMIN = "http://127.0.0.1:8081"
READY_SECONDS_MAX = 20


def get(url):
    return urllib.request.urlopen(url, timeout=5).read().decode()


def wait_until_ready(server):
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline:
        if server.poll() is not None:
            sys.exit(f"./dev run ended with exit code {server.returncode}")
        try:
            return get(f"{GATEWAY}/readyz")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    sys.exit(f"not ready after {READY_SECONDS_MAX} s")


def main():
    server = subprocess.Popen(["./dev", "run"])
    try:
        wait_until_ready(server)
        body = {"model": "demo", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
        request = urllib.request.Request(
            f"{GATEWAY}/v1/chat/completions", json.dumps(body).encode(),
            {"content-type": "application/json"})
        answer = urllib.request.urlopen(request, timeout=20).read().decode()
        print(answer)
        if not answer.rstrip().endswith("data: [DONE]"):
            sys.exit("the stream did not end with data: [DONE]")
        if "weir_" not in get(f"{ADMIN}/metrics"):
            sys.exit("/metrics has no weir_ metric")
    finally:
        server.send_signal(signal.SIGTERM)
        code = server.wait(timeout=30)
    if code != 0:
        sys.exit(f"SIGTERM ended Weir with exit code {code}")


if __name__ == "__main__":
    main()
