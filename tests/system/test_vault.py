#!/usr/bin/env python3
"""Accounts that are stored sealed: made, used, changed, their key changed under traffic, with a
key in the file and with HashiCorp Vault's Transit; references to Vault's KV; nothing legible left
behind."""

import base64
import http.server
import json
import pathlib
import subprocess
import threading

from harness import (ADMIN_TOKEN, PROVIDER_KEY, WEIR, Weir, ask_chat, check, config, equal,
                     eventually, main, test)
from upstream import Upstream

SEALED_KEY = "sk-sealed-8f21c07d5e"
SEALED_HEADER = "sealed-header-55aa7be1"
VAULT_TOKEN = "hvs.vault-token-3d90b1"
KV_KEY = "sk-from-vault-kv-1b7c"
FIRST, SECOND = "11" * 32, "22" * 32


class Vault:
    """Transit and KV of version 2 in their documented form, with a cipher that is none."""

    def __init__(self):
        outer = self
        self.asked = []
        self.secrets = {"secret/data/openai": {"api_key": KV_KEY}}

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status, body):
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def handle_any(self):
                outer.asked.append(self.path)
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                path = self.path.removeprefix("/v1/")
                if self.headers.get("x-vault-token") != VAULT_TOKEN:
                    return self.answer(403, {"errors": ["permission denied"]})
                if path == "transit/encrypt/weir":
                    text = base64.b64decode(json.loads(body)["plaintext"])
                    mixed = base64.b64encode(bytes(b ^ 0x5a for b in text)).decode()
                    return self.answer(200, {"data": {"ciphertext": "vault:v1:" + mixed}})
                if path == "transit/decrypt/weir":
                    mixed = json.loads(body)["ciphertext"].removeprefix("vault:v1:")
                    text = bytes(b ^ 0x5a for b in base64.b64decode(mixed))
                    return self.answer(200, {"data": {
                        "plaintext": base64.b64encode(text).decode()}})
                if path in outer.secrets:
                    return self.answer(200, {"data": {"data": outer.secrets[path],
                                                      "metadata": {"version": 1}}})
                return self.answer(404, {"errors": []})

            do_GET = do_POST = handle_any

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def add_account(weir, upstream, name="sealed"):
    made = weir.admin("POST", "/api/v1/accounts", {
        "name": name, "provider": "openai_compatible", "endpoint": f"{upstream.url}/v1",
        "api_key": SEALED_KEY, "headers": {"x-tenant": SEALED_HEADER}})
    equal(made.status, 201, made.text())
    check(SEALED_KEY not in made.text() and SEALED_HEADER not in made.text(), made.text())
    made = weir.admin("POST", "/api/v1/models", {"name": f"of-{name}", "deployments": [
        {"account": name, "model": "quick"}]})
    equal(made.status, 201, made.text())


def sealed_under(weir):
    answer = weir.admin("GET", "/api/v1/accounts").json()["accounts"]
    return {one["name"]: one["sealed_under"] for one in answer if one["source"] == "console"}


def rewrap(weir):
    done = subprocess.run([WEIR, "secrets", "rewrap", "-c", str(weir.file)], capture_output=True,
                          text=True, check=False)
    equal(done.returncode, 0, done.stderr)
    return done.stdout


def no_trace(weir, secrets):
    places = [(path.name, path.read_bytes()) for path in weir.data.rglob("*") if path.is_file()]
    places.append(("the log", weir.log_text().encode()))
    for path in ("/metrics", "/api/v1/accounts", "/api/v1/models/definitions", "/api/v1/status",
                 "/api/v1/models", "/api/v1/requests"):
        places.append((path, weir.admin("GET", path).text().encode()))
    places.append(("the command line", pathlib.Path(f"/proc/{weir.pid}/cmdline").read_bytes()))
    found = [f"{secret} in {name}" for name, content in places for secret in secrets
             if secret.encode() in content]
    check(not found, found)


@test
def an_account_is_made_used_changed_and_removed():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        add_account(weir, upstream)
        equal(ask_chat(weir, "of-sealed").status, 200, "a call through it")
        equal(upstream.calls[-1].headers["authorization"], f"Bearer {SEALED_KEY}", "the credential")
        refused = weir.admin("DELETE", "/api/v1/accounts/sealed")
        equal(refused.status, 400, "removing an account in use")
        equal(weir.admin("POST", "/api/v1/accounts", {"name": "up", "provider": "openai",
                                                      "api_key": "k"}).status, 409, "the file's")
        for body in ({"api_key": "file:/etc/hostname"}, {"tls": {"ca_file": "/etc/hostname"}},
                     {"provider": "nobody"}, {"nope": 1}, {"limits": {"rpm": -1}}):
            equal(weir.admin("PATCH", "/api/v1/accounts/sealed", body).status, 400, body)
        equal(weir.admin("PATCH", "/api/v1/accounts/up", {"http2": True}).status, 400, "the file's")
        changed = weir.admin("PATCH", "/api/v1/accounts/sealed", {"api_key": "sk-other-77"})
        equal(changed.status, 200, changed.text())
        equal(ask_chat(weir, "of-sealed").status, 200, "with another key")
        equal(upstream.calls[-1].headers["authorization"], "Bearer sk-other-77", "the new one")
        weir.restart()
        equal(ask_chat(weir, "of-sealed").status, 200, "after a restart")
        no_trace(weir, [SEALED_KEY, SEALED_HEADER, "sk-other-77", PROVIDER_KEY, ADMIN_TOKEN])
        equal(weir.admin("DELETE", "/api/v1/models/of-sealed").status, 200, "the model")
        equal(weir.admin("DELETE", "/api/v1/accounts/sealed").status, 200, "the account")
        equal(sealed_under(weir), {}, "what is left")


@test
def the_key_is_changed_under_traffic():
    with Upstream() as upstream, Weir(config(upstream, secrets={"key": FIRST})) as weir:
        add_account(weir, upstream)
        before = sealed_under(weir)
        failures, stop = [], threading.Event()

        def traffic():
            while not stop.is_set():
                status = ask_chat(weir, "of-sealed").status
                if status != 200:
                    failures.append(status)

        clients = [threading.Thread(target=traffic) for _ in range(4)]
        for client in clients:
            client.start()
        try:
            made = weir.configuration
            weir.write({**made, "secrets": {"key": SECOND, "previous_key": FIRST}})
            equal(weir.admin("POST", "/api/v1/reload").status, 200, "both keys")
            check("2 rewrapped" in rewrap(weir), "an account and a model")
            weir.write({**made, "secrets": {"key": SECOND}})
            equal(weir.admin("POST", "/api/v1/reload").status, 200, "without the old key")
            check(sealed_under(weir) != before, "sealed under the new one")
            equal(ask_chat(weir, "of-sealed").status, 200, "afterwards")
            weir.write({**made, "secrets": {"key": "33" * 32}})
            refused = weir.admin("POST", "/api/v1/reload")
            equal(refused.status, 400, "a key that opens nothing")
            check('"sealed"' in refused.text().replace("\\", ""), refused.text())
            weir.write({**made, "secrets": {"key": SECOND}})
        finally:
            stop.set()
            for client in clients:
                client.join()
        equal(failures, [], "requests that failed meanwhile")
        eventually(lambda: weir.metrics()["weir_requests_running"] == 0, "quiet")
        no_trace(weir, [SEALED_KEY, SEALED_HEADER, FIRST, SECOND])


@test
def vault_wraps_and_its_references_are_read():
    with Upstream() as upstream, Vault() as vault:
        transit = {"address": vault.url, "token": VAULT_TOKEN, "key": "weir"}
        made = config(upstream, secrets={"transit": transit})
        made["accounts"][0]["api_key"] = "${vault:secret/data/openai#api_key}"
        environment = {"VAULT_ADDR": vault.url, "VAULT_TOKEN": VAULT_TOKEN}
        with Weir(made, environment=environment) as weir:
            equal(ask_chat(weir).status, 200, "by a key of Vault's KV")
            equal(upstream.calls[-1].headers["authorization"], f"Bearer {KV_KEY}", "the credential")
            add_account(weir, upstream)
            equal(sealed_under(weir), {"sealed": "transit:weir"}, "the wrapping key")
            weir.restart()
            equal(ask_chat(weir, "of-sealed").status, 200, "after a restart")
            check(not (weir.data / "secrets.key").exists(), "no key of its own is made")
            no_trace(weir, [SEALED_KEY, SEALED_HEADER, VAULT_TOKEN, KV_KEY])
            # Vault away: what runs goes on, a reload says what is missing.
            vault.server.shutdown()
            vault.server.server_close()
            refused = weir.admin("POST", "/api/v1/reload")
            equal(refused.status, 400, "a reload without Vault")
            check(VAULT_TOKEN not in refused.text(), refused.text())
            equal(ask_chat(weir, "of-sealed").status, 200, "what runs")


if __name__ == "__main__":
    main()
