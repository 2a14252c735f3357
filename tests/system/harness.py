"""What every part of this suite needs: tests with names, a Weir process, requests to it.

A test is a function marked with @test. It fails by an exception; check() and equal() raise a
readable one. Nothing here decides by the clock: what takes time is polled for with eventually(),
whose limit only bounds how long a broken Weir can hold up the suite.
"""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback

WEIR = os.environ.get("WEIR_BIN", "")
ROOT = pathlib.Path(__file__).resolve().parents[2]
WAIT_SECONDS_MAX = 60

# Long enough that no other text holds them by chance: the test of secrets looks for them.
CLIENT_KEY = "wk-system-client-4b1f8a6d2c"
ADMIN_TOKEN = "admin-system-token-93c2e7f1"
PROVIDER_KEY = "sk-system-provider-7d0e5b9a"

_tests = []


class Failure(Exception):
    pass


class Skip(Exception):
    """What this machine lacks for the test."""


def test(function):
    _tests.append(function)
    return function


def check(condition, message):
    if not condition:
        raise Failure(message() if callable(message) else str(message))


def equal(got, wanted, what):
    if got != wanted:
        raise Failure(f"{what}: {got!r} instead of {wanted!r}")


def eventually(question, what, seconds=WAIT_SECONDS_MAX):
    """The first true answer of question()."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Failure(f"not after {seconds} s: {what}")
        time.sleep(0.02)


def work_folder(prefix="weir-system-"):
    base = ROOT / "build" / "system"
    base.mkdir(parents=True, exist_ok=True)
    return pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir=base))


def config(upstream, models=("quick",), **more):
    """A configuration with one account at the upstream that serves these models."""
    made = {
        "server": {"listen": "127.0.0.1:0", "workers": 2},
        "admin": {"listen": "127.0.0.1:0", "token": ADMIN_TOKEN},
        "accounts": [{"name": "up", "provider": "openai_compatible", "api_key": PROVIDER_KEY,
                      "endpoint": f"{upstream.url}/v1"}],
        "models": [{"name": name, "deployments": [{"account": "up"}]} for name in models],
        "keys": [{"name": "client", "key": CLIENT_KEY}],
        "prices": [{"provider": "openai_compatible", "model": name,
                    "usd_per_million": {"input": 1, "output": 2}} for name in models],
    }
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(made.get(name), dict):
            made[name] = {**made[name], **value}
        else:
            made[name] = value
    return made


class Weir:
    """`weir serve` as a process. Leaving the with-block stops it by SIGTERM and then demands exit
    code 0 and no line of level error but of the events named."""

    def __init__(self, configuration, folder=None, wrapper=(), errors=(), environment=None):
        self.own_folder = folder is None
        self.folder = folder or work_folder()
        self.data = self.folder / "data"
        self.file = self.folder / "weir.yaml"
        self.log_file = self.folder / "weir.log"
        self.wrapper = list(wrapper)
        self.errors_expected = set(errors)
        self.environment = {**os.environ, **(environment or {})}
        self.process = None
        self.killed = False
        self.write(configuration)
        self.start()

    def write(self, configuration):
        """The whole file at once, as editors and deployments do."""
        if isinstance(configuration, dict):
            self.configuration = configuration
            configuration = json.dumps({"data_dir": str(self.data), **configuration}, indent=1)
        fresh = self.file.with_suffix(".new")
        fresh.write_text(configuration)
        fresh.replace(self.file)

    def start(self):
        self.log_offset = self.log_file.stat().st_size if self.log_file.exists() else 0
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, WEIR, "serve", "-q", "-c", str(self.file)], stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, env=self.environment)
        self.killed = False
        # A machine that does ten other things at once starts it late.
        started = eventually(self._started, "started", 5 * WAIT_SECONDS_MAX)
        self.port = int(started["listen"].rsplit(":", 1)[1])
        self.admin_port = int(started["admin"].rsplit(":", 1)[1])
        self.pid = self._pid_of_weir()

    def _started(self):
        check(self.process.poll() is None,
              lambda: f"weir serve ended with {self.process.returncode}: {self.log_text()[-2000:]}")
        # A start that fails ends in plain words: they are shown when the process has ended.
        lines = self.lines("started") if "weir serve:" not in self.log_text() else []
        return lines[-1] if lines else None

    def _pid_of_weir(self):
        if not self.wrapper:
            return self.process.pid
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        found = children.read_text().split()
        return int(found[0]) if found else self.process.pid

    def log_text(self):
        with open(self.log_file, "rb") as log:
            log.seek(self.log_offset)
            return log.read().decode()

    def lines(self, event=None, level=None):
        """The log of this start, parsed. A line that is no JSON is a finding of its own."""
        found = []
        text = self.log_text()
        for line in text[:text.rfind("\n") + 1].splitlines():
            entry = json.loads(line)
            if event in (None, entry["event"]) and level in (None, entry["level"]):
                found.append(entry)
        return found

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self, seconds=WAIT_SECONDS_MAX):
        return self.process.wait(seconds)

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        self.killed = True
        os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def restart(self):
        equal(self.stop(), 0, "exit code")
        self.start()

    def running(self):
        return self.process.poll() is None

    def check_log(self):
        text = self.log_text()
        for word in ("Sanitizer", "Assertion", "runtime error:", "terminate called"):
            check(word not in text, lambda: f"{word} in the log: {text[-4000:]}")
        odd = [line for line in self.lines(level="error")
               if line["event"] not in self.errors_expected]
        check(not odd, lambda: f"lines of level error: {odd[:5]}")

    def __enter__(self):
        return self

    def __exit__(self, kind, problem, trace):
        try:
            if self.running():
                if kind is None:
                    equal(self.stop(), 0, "exit code after SIGTERM")
                else:
                    self.kill()
            if kind is None:
                if not self.killed:
                    equal(self.process.returncode, 0, "exit code")
                self.check_log()
            else:
                print(f"  log of {self.file}: {self.log_text()[-1500:]}")
        finally:
            if self.running():
                self.kill()
        if self.own_folder and kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    # What it says about itself.

    def admin(self, method, path, body=None, token=ADMIN_TOKEN, headers=None):
        sent = {"authorization": f"Bearer {token}"} if token else {}
        return ask(self.admin_port, path, body, method=method, key=None,
                   headers={**sent, **(headers or {})})

    def generation(self):
        return self.admin("GET", "/api/v1/status").json()["config_generation"]

    def metrics(self):
        """{name or name{labels}: value}, and the sum over labels under the bare name."""
        answer = self.admin("GET", "/metrics")
        equal(answer.status, 200, "/metrics")
        found = {}
        for line in answer.text().splitlines():
            if line.startswith("#"):
                continue
            name, value = line.rsplit(" ", 1)
            found[name] = float(value)
            bare = name.split("{")[0]
            if bare != name:
                found[bare] = found.get(bare, 0) + float(value)
        return found

    def rows(self, **query):
        text = "&".join(f"{name}={value}" for name, value in {"limit": 1000, **query}.items())
        answer = self.admin("GET", f"/api/v1/requests?{text}")
        equal(answer.status, 200, "/api/v1/requests")
        return answer.json()["requests"]

    def row(self, answer_or_id):
        """The ledger's row of a request, as soon as it is written."""
        wanted = answer_or_id if isinstance(answer_or_id, str) else answer_or_id.id()
        def look():
            answer = self.admin("GET", f"/api/v1/requests/{wanted}")
            return answer.json() if answer.status == 200 else None
        return eventually(look, f"the ledger's row of {wanted}")

    def memory(self):
        """Resident bytes."""
        for line in open(f"/proc/{self.pid}/status", encoding="ascii"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise Failure("no VmRSS")

    def databases(self, prefix="requests-"):
        return sorted(self.data.glob(f"{prefix}*.db"))


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            raise Failure(f"status {self.status} with a body that is no JSON: {self.body[:300]}") \
                from None

    def text(self):
        return self.body.decode()

    def id(self):
        return self.headers["x-weir-request-id"]

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


def credentials(key, path):
    if key is None:
        return {}
    if path.startswith("/v1beta"):
        return {"x-goog-api-key": key}
    if path.startswith("/v1/messages"):
        return {"x-api-key": key, "anthropic-version": "2023-06-01"}
    return {"authorization": f"Bearer {key}"}


def connect(port, tls=None, timeout=WAIT_SECONDS_MAX):
    if tls is None:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    return http.client.HTTPSConnection("localhost", port, timeout=timeout, context=tls)


def send(connection, path, body=None, method="POST", headers=None, key=CLIENT_KEY):
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
    fields = {**credentials(key, path), **(headers or {})}
    if body is not None:
        fields.setdefault("content-type", "application/json")
    connection.request(method, path, body=body, headers=fields)
    return connection.getresponse()


def ask(port, path, body=None, method="POST", headers=None, key=CLIENT_KEY, tls=None):
    connection = connect(port, tls)
    try:
        response = send(connection, path, body, method, headers, key)
        return Answer(response.status, response.getheaders(), response.read())
    finally:
        connection.close()


def chat(model="quick", text="Hello", **more):
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def ask_chat(weir, model="quick", key=CLIENT_KEY, text="Hello", tls=None, **more):
    return ask(weir.port, "/v1/chat/completions", chat(model, text, **more), key=key, tls=tls)


# One request in each of the three clients' forms: (name, path, body).
def dialects(model="quick", stream=False):
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    more = {"stream": True} if stream else {}
    return [
        ("openai", "/v1/chat/completions", chat(model, **more)),
        ("anthropic", "/v1/messages", {**chat(model, **more), "max_tokens": 64}),
        ("gemini", f"/v1beta/models/{model}:{method}",
         {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}),
    ]


def check_error(answer, dialect, status=None):
    """That the answer is an error as this vendor's clients read it; the error object."""
    if status is not None:
        wanted = status if isinstance(status, tuple) else (status,)
        check(answer.status in wanted, lambda: f"{dialect}: {answer} instead of {wanted}")
    check(answer.status >= 400, lambda: f"{dialect}: no error: {answer}")
    body = answer.json()
    check(isinstance(body.get("error"), dict), lambda: f"{dialect}: no error object: {answer}")
    error = body["error"]
    check(isinstance(error.get("message"), str) and error["message"],
          lambda: f"{dialect}: no message: {answer}")
    if dialect == "anthropic":
        check(body.get("type") == "error" and isinstance(error.get("type"), str),
              lambda: f"not Anthropic's form: {answer}")
    elif dialect == "gemini":
        check(error.get("code") == answer.status and isinstance(error.get("status"), str),
              lambda: f"not Gemini's form: {answer}")
    else:
        check(isinstance(error.get("type"), str) and "param" in error and "code" in error,
              lambda: f"not OpenAI's form: {answer}")
    return error


class Cut(Exception):
    """A streamed answer ended without HTTP's end of it."""


class Stream:
    """A streamed answer, read event by event. (http.client takes a cut one for whole.)"""

    def __init__(self, port, body, path="/v1/chat/completions", key=CLIENT_KEY, tls=None,
                 receive_bytes=None):
        data = json.dumps(body).encode()
        fields = {"host": "localhost", "content-type": "application/json",
                  "content-length": len(data), **credentials(key, path)}
        head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields.items())
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(WAIT_SECONDS_MAX)
        self.socket.connect(("127.0.0.1", port))
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.socket.sendall(head.encode() + b"\r\n" + data)
        self.file = self.socket.makefile("rb", buffering=4096)
        status = self._line()
        self.headers = {}
        while line := self._line():
            name, _, value = line.partition(b":")
            self.headers[name.decode().lower()] = value.decode().strip()
        self.id = self.headers.get("x-weir-request-id")
        check(status.startswith(b"HTTP/1.1 200"), f"status of the stream: {status}")
        equal(self.headers.get("transfer-encoding"), "chunked", "transfer-encoding")
        self.text = b""

    def _line(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise Cut()
        return line[:-2]

    def chunk(self):
        """The next chunk of the body; b"" at the orderly end."""
        size = int(self._line(), 16)
        data = self.file.read(size)
        if len(data) != size:
            raise Cut()
        self._line()
        return data

    def next(self):
        """The data of the next event; None at the orderly end. Raises Cut or OSError."""
        while True:
            event, found, rest = self.text.partition(b"\n\n")
            if found:
                self.text = rest
                data = [line[5:].strip() for line in event.splitlines() if line[:5] == b"data:"]
                if data:
                    return b"\n".join(data).decode()
                continue
            chunk = self.chunk()
            if not chunk:
                return None
            self.text += chunk

    def rest(self):
        events = []
        while (event := self.next()) is not None:
            events.append(event)
        return events

    def close(self):
        # The file holds the socket as well: both must go for the kernel to tell the other side.
        self.file.close()
        self.socket.close()


def raw(port, data, tls=None):
    """A connection with these bytes sent."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS_MAX)
    if data:
        connection.sendall(data)
    return connection


def query(database, sql):
    """Reads a database of Weir's beside the running process."""
    connection = sqlite3.connect(database, timeout=WAIT_SECONDS_MAX)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def command(*words, folder=None, environment=None):
    """Runs `weir WORDS`; the completed process."""
    return subprocess.run([WEIR, *words], capture_output=True, text=True, check=False, cwd=folder,
                          timeout=WAIT_SECONDS_MAX, stdin=subprocess.DEVNULL,
                          env={**os.environ, **(environment or {})})


def main():
    """Runs the part's tests, or those named on the command line."""
    if not os.access(WEIR, os.X_OK):
        sys.exit("WEIR_BIN does not name a program: run this by tests/system/run")
    wanted = sys.argv[1:]
    unknown = set(wanted) - {function.__name__ for function in _tests}
    if unknown:
        sys.exit(f"no test {', '.join(unknown)}")
    passed = failed = skipped = 0
    for function in _tests:
        name = function.__name__
        if wanted and name not in wanted:
            continue
        began = time.monotonic()
        try:
            function()
            passed += 1
            print(f"ok      {name} ({time.monotonic() - began:.1f} s)", flush=True)
        except Skip as why:
            skipped += 1
            print(f"skipped {name}: {why}", flush=True)
        except Failure as why:
            failed += 1
            at = traceback.extract_tb(why.__traceback__)
            place = next((f"{pathlib.Path(f.filename).name}:{f.lineno}" for f in reversed(at)
                          if not f.filename.endswith("harness.py")), "")
            print(f"FAILED  {name} at {place}: {why}", flush=True)
        except Exception:  # a broken test is a failed one, and the others still run
            failed += 1
            print(f"FAILED  {name}: {traceback.format_exc(limit=-4)}", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    sys.exit(1 if failed else 0)
