"""The world of a test file: `weir sim`, a gateway in front of it, and the two books that must agree
in the end, Weir's ledger and the simulator's own account. Standard library only.

With WEIR_TEST_HTTP2=1 all of it runs over HTTP/2: Weir serves TLS and the SDKs' HTTP clients agree
on h2 by ALPN; every account says `http2: true`, so Weir begins with it towards the simulator."""

import collections
import json
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

SUITE = pathlib.Path(__file__).resolve().parent.parent
ADMIN_TOKEN = "admin-token-of-the-client-suite"
HTTP2 = os.environ.get("WEIR_TEST_HTTP2") == "1"

Model = collections.namedtuple("Model", "name account upstream dialect")

# The routes: the model that clients ask for, what serves it, and the wire format spoken there.
MODELS = [
    Model("via-openai", "openai", "gpt-sim", "openai"),
    Model("via-compatible", "compatible", "local-sim", "openai"),
    Model("via-azure-classic", "azure-classic", "gpt-azure", "openai"),
    Model("via-azure-v1", "azure-v1", "gpt-entra", "openai"),
    Model("via-anthropic", "anthropic", "claude-sim", "anthropic"),
    Model("via-vertex-claude", "vertex", "claude-vertex", "anthropic"),
    Model("via-gemini", "gemini", "gemini-sim", "gemini"),
    Model("via-vertex-gemini", "vertex", "gemini-vertex", "gemini"),
]

# Nano-dollars per token by class: weir.yaml prices every model of these suites alike.
RATES = {
    "input": 1000, "cache_read": 500, "cache_write_5m": 3000, "cache_write_1h": 4000,
    "output": 2000,
}

# The calls that both books count tokens of, by the names that the books have for them.
BILLED = {
    "chat", "completions", "responses", "messages", "generate", "embeddings", "embed_content",
    "batch_embed_contents", "predict", "/chat/completions", "/completions", "/responses",
    "/messages", ":generateContent", ":streamGenerateContent", "/embeddings", ":embedContent",
    ":batchEmbedContents",
}


def until(what, probe, limit_s=10):
    """Polls until `probe` gives something."""
    end = time.monotonic() + limit_s
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {limit_s} s in vain for {what}")
        time.sleep(0.005)


class Program:
    """A program of the build with its log in a file; ended by its pid."""

    def __init__(self, arguments, log, env=None):
        kept = {k: v for k, v in os.environ.items() if re.fullmatch("(PATH|[AUTB]+SAN_OPTIONS)", k)}
        self.log = log
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                [os.environ["WEIR_BIN"], *arguments], stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, env={**kept, **(env or {})})

    def text(self):
        return self.log.read_text(encoding="utf-8")

    def wait_for(self, what, find):
        def probe():
            if self.process.poll() is not None:
                raise AssertionError(f"{what} ended:\n{self.text()}")
            return find(self.text())
        return until(what, probe)

    def stop(self):
        """SIGTERM, and the exit code: 0 is a clean end, also for a sanitizer."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


def fetch(url, method="GET", body=None, token=None):
    request = urllib.request.Request(url, method=method, headers={
        "content-type": "application/json",
        **({"authorization": f"Bearer {token}"} if token else {}),
    }, data=None if body is None else json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{method} {url}: {error.code} {error.read().decode()}") from error


def openssl(*command):
    subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True)


class World:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-clients-"))
        self.keys = []
        self.keys_made = 0
        self.versions = collections.Counter()  # of HTTP, in the SDKs' responses
        config = self._make_http2_config() if HTTP2 else SUITE / "weir.yaml"
        private, public = self._make_google_key()
        account = self.folder / "service-account.json"
        account.write_text(json.dumps({
            "type": "service_account", "project_id": "acme", "private_key_id": "k1",
            "private_key": private, "client_email": "weir@acme.example",
            "token_uri": "http://127.0.0.1:9/never-asked",
        }), encoding="utf-8")
        self.sim = Program(
            ["sim", "--listen", "127.0.0.1:0", "--file", str(SUITE / "sim.json"),
             "--google-public-key", str(public), "--keep-bodies", "65536"],
            self.folder / "sim.log")
        self.sim_url = self.sim.wait_for("weir sim", lambda text: next(
            iter(re.findall(r"http://127\.0\.0\.1:\d+", text)), None))
        self.weir = Program(
            ["serve", "--quiet", "-c", str(config), "--data-dir", str(self.folder / "data")],
            self.folder / "weir.log",
            {"UPSTREAM": self.sim_url, "ADMIN_TOKEN": ADMIN_TOKEN, "SERVICE_ACCOUNT": str(account)})
        started = self.weir.wait_for("weir serve", self._find_started)
        self.url, self.admin_url = started["listen"], started["admin"]

    def _make_google_key(self):
        private, public = self.folder / "google.key", self.folder / "google.pem"
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", private)
        openssl("pkey", "-in", private, "-pubout", "-out", public)
        return private.read_text(encoding="utf-8"), public

    def _make_http2_config(self):
        key, certificate = self.folder / "server.key", self.folder / "server.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", "2", "-subj", "/CN=weir-test", "-addext", "subjectAltName=IP:127.0.0.1",
                "-keyout", key, "-out", certificate)
        self.tls = ssl.create_default_context(cafile=certificate)
        text = (SUITE / "weir.yaml").read_text(encoding="utf-8").replace(
            "server: {", f'server: {{ tls: {{ certificate: "{certificate}", key: "{key}" }},', 1)
        before, accounts, after = re.fullmatch(
            r"(.*\naccounts:\n)(.*?)(\nmodels:\n.*)", text, re.DOTALL).groups()
        accounts = re.sub(r"^  - \{", "  - { http2: true,", accounts, flags=re.MULTILINE)
        accounts = re.sub(r"^  - (?=\w)", "  - http2: true\n    ", accounts, flags=re.MULTILINE)
        config = self.folder / "weir.yaml"
        config.write_text(before + accounts + after, encoding="utf-8")
        return config

    def http_client(self, kind):
        """The SDK's own HTTP client, as it makes it but for HTTP/2; `kind` is its class."""
        def note(response):
            self.versions[response.http_version] += 1

        async def note_async(response):
            note(response)
        hook = note_async if "Async" in kind.__name__ else note
        return kind(http2=True, verify=self.tls, event_hooks={"response": [hook]})

    def metrics(self):
        """The samples of /metrics, summed over their labels."""
        request = urllib.request.Request(
            self.admin_url + "/metrics", headers={"authorization": f"Bearer {ADMIN_TOKEN}"})
        with urllib.request.urlopen(request, timeout=20) as reply:
            lines = reply.read().decode().splitlines()
        sums = collections.Counter()
        for name, value in re.findall(r"^(\w+)(?:\{.*\})? (\S+)$", "\n".join(lines), re.MULTILINE):
            sums[name] += float(value)
        return sums

    def check_http2(self, test):
        """That HTTP/2 was spoken on both sides, and nothing else, and nobody broke its rules."""
        test.assertEqual(set(self.versions), {"HTTP/2"}, self.versions)
        seen = self.metrics()
        test.assertGreater(seen["weir_http2_connections_total"], 0)
        test.assertEqual(seen["weir_http2_connections_total"], seen["weir_http_connections_total"])
        test.assertGreater(seen["weir_upstream_http2_streams_total"], 0)
        test.assertEqual(seen["weir_upstream_http2_connections_total"],
                         seen["weir_upstream_connections_total"])
        for name in ("faults", "malformed", "refused_streams"):
            test.assertEqual(seen[f"weir_http2_{name}_total"], 0, name)

    @staticmethod
    def _find_started(text):
        for line in text.splitlines():
            if line.startswith("{") and '"event":"started"' in line:
                return json.loads(line)
        return None

    def admin(self, path, method="GET", body=None):
        return fetch(self.admin_url + path, method, body, ADMIN_TOKEN)

    def context(self, model, **spec):
        self.keys_made += 1
        made = self.admin("/api/v1/keys", "POST", {"name": f"test-{self.keys_made}", **spec})
        self.keys.append(made["key"])
        return Context(self, model, made["id"], made["key"])

    def calls(self):
        """Every call that the simulator saw end, oldest first."""
        calls, since = [], 0
        while True:
            page = fetch(f"{self.sim_url}/sim/v1/calls?since={since}")
            calls += page["calls"]
            since = page["next"]
            if not page["more"]:
                return calls

    def check_books(self, test):
        """Every call that the simulator answered to the end stands in the ledger once, with the
        counts that the simulator billed; and the ledger holds no other."""
        told, kept = collections.Counter(), collections.Counter()
        for call in self.calls():
            if (call["outcome"], call["status"], call["method"]) != ("whole", 200, "POST"):
                continue
            if call["endpoint"] not in BILLED:
                continue
            u = call["usage"]
            if "embed_content" in call["endpoint"]:  # Google's API does not tell what it used
                told[call["model"], "not told"] += 1
            else:
                told[call["model"], u["input"], u["cached"], u["cache_write"], u["output"],
                     u["reasoning"]] += 1
        before = ""
        while before is not None:
            page = self.admin("/api/v1/requests?limit=1000" + (before and f"&before={before}"))
            for row in page["requests"]:
                if row["outcome"] != "ok" or not row["attempts"] or row["endpoint"] not in BILLED:
                    continue
                u = row["usage"]
                written = u["cache_write_5m"] + u["cache_write_1h"]
                if row["cost_state"] == "estimated":
                    kept[row["provider_model"], "not told"] += 1
                else:
                    kept[row["provider_model"], u["input"] + u["cache_read"] + written,
                         u["cache_read"], written, u["output"], u["reasoning"]] += 1
            before = page["next"]
        test.assertGreater(told.total(), 0, "the simulator has answered nothing")
        test.assertEqual((kept - told, told - kept), ({}, {}), "only in the ledger, only in sim")

    def check_log(self, test):
        text = self.weir.text()
        for secret in [*self.keys, "sk-up", ADMIN_TOKEN, "Say amber"]:
            test.assertNotIn(secret, text, "a secret or a prompt in the log")
        test.assertEqual([x for x in text.splitlines() if '"level":"error"' in x], [])

    def stop(self):
        codes = self.weir.stop(), self.sim.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        return codes


class Context:
    """What one test may use: a key that no other test has, and what its ledger rows must say."""

    def __init__(self, world, model, key_id, key):
        self.world, self.model, self.key_id, self.key = world, model, key_id, key
        self.name = model if isinstance(model, str) else model.name
        self.url = world.url
        self.http_clients = []

    def http(self, sdk, asynchronous):
        """Options for a client of an SDK (its package): what makes it speak this run's HTTP."""
        if not HTTP2:
            return {}
        kind = sdk.DefaultAsyncHttpxClient if asynchronous else sdk.DefaultHttpxClient
        http_client = self.world.http_client(kind)
        if not asynchronous:
            self.http_clients.append(http_client)
        return {"http_client": http_client}

    def hang_up(self):
        """For who has left a call: httpx resets no stream of HTTP/2 that it stops to read, so there
        it is the end of the connection that tells."""
        for http_client in self.http_clients:
            http_client.close()

    def rows(self, count):
        """The ledger rows of this key, oldest first, as soon as there are `count`."""
        def probe():
            found = self.world.admin(f"/api/v1/requests?limit=1000&key={self.key_id}")["requests"]
            return found[::-1] if len(found) >= count else None
        return until(f"{count} ledger rows", probe)

    def check(self, test, calls):
        """Calls as the SDK saw them: (input of all classes, output), or None where it does not say.
        One row per call, of that deployment, with those tokens, at that price."""
        rows = self.rows(len(calls))
        note = json.dumps(rows, indent=1)
        test.assertEqual(len(rows), len(calls), note)
        for row, call in zip(rows, calls):
            test.assertEqual((row["status"], row["outcome"]), (200, "ok"), note)
            test.assertEqual(row["model_asked"], self.name, note)
            test.assertEqual((row["account"], row["provider_model"]),
                             (self.model.account, self.model.upstream), note)
            test.assertEqual(len(row["attempts"]), 1, note)
            if call is None:
                continue
            u = row["usage"]
            inputs = sum(u[name] for name in RATES if name != "output")
            test.assertEqual((inputs, u["output"]), call, note)
            test.assertGreater(call[0], 0, "a client that is told of no input tokens")
            test.assertEqual(row["cost_state"], "final", note)
            test.assertEqual(row["cost_nano_usd"],
                             sum(u[name] * rate for name, rate in RATES.items()), note)

    def upstream_got(self, test, *texts):
        bodies = [call.get("request", "") for call in self.world.calls()]
        test.assertTrue(any(all(text in body for text in texts) for body in bodies),
                        f"no request to the provider holds {texts}")


class WorldTest(unittest.TestCase):
    """Tests with one world for all of the file. The last test, by name, closes the books."""

    @classmethod
    def setUpClass(cls):
        cls.world = World()

    @classmethod
    def tearDownClass(cls):
        cls.world.stop()

    def test_zz_books_and_end(self):
        self.world.check_books(self)
        self.world.check_log(self)
        if HTTP2:
            self.world.check_http2(self)
        self.assertEqual((self.world.weir.stop(), self.world.sim.stop()), (0, 0),
                         self.world.weir.text()[-4000:])


def scene(models=MODELS):
    """Makes a test for each model out of a method that takes a context and gives the calls."""
    def mark(function):
        function.scene_models = models
        return function
    return mark


def spread(cls):
    """Class decorator: puts the tests of its scenes in their place."""
    for name in dir(cls):
        function = getattr(cls, name)
        for model in getattr(function, "scene_models", ()):
            def run(self, function=function, model=model):
                context = self.world.context(model)
                calls = function(self, context)
                self.assertTrue(calls, "a scene tells what its calls used")
                context.check(self, calls)
            label = model.name.replace("-", "_")
            run.__name__ = f"test_{label}_{name}"
            setattr(cls, run.__name__, run)
    return cls
