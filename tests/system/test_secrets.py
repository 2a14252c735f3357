#!/usr/bin/env python3
"""After everything that can happen: no key, token, prompt or answer in any file, log line or
metric. Captured messages are the exception, in the captures' file alone and compressed."""

import http.server
import json
import os
import pathlib
import signal
import subprocess
import threading
import urllib.parse

from harness import (ADMIN_TOKEN, CLIENT_KEY, PROVIDER_KEY, WEIR, Skip, Stream, Weir, ask,
                     ask_chat, chat, check, config, dialects, equal, eventually, main, query, raw,
                     test, work_folder)
from upstream import Upstream

PROMPT = "zebra-prompt-5b1d90c3"
SYSTEM = "zebra-system-77aa1f20"
REPLY = "zebra-reply-c04e9d15"
HEADER = "zebra-header-e12b4f86"
WRONG_KEY = "wk-zebra-wrong-key-90f3a2b7"
CAPTURE_KEY = "wk-zebra-capture-key-1c2d3e4f"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def script(call):
    """Answers, refusals and breaks that all quote what they were given."""
    quoted = f"{REPLY} you sent {call.body.decode(errors='replace')} by {call.headers}"
    model = call.model()
    if model == "quick" and call.json().get("stream"):
        call.begin()
        call.delta(quoted)
        call.finish()
    elif model == "quick":
        call.answer(body={"id": "c", "object": "chat.completion", "created": 1, "model": "quick",
                          "choices": [{"index": 0, "finish_reason": "stop", "message": {
                              "role": "assistant", "content": quoted}}],
                          "usage": {"prompt_tokens": 1, "completion_tokens": 1}})
    elif model == "breaks":
        call.begin()
        call.delta(quoted)
        call.event({"error": {"message": quoted, "type": "server_error"}})
        call.cut()
    elif model == "garbage":
        call.handler.wfile.write(quoted.encode() + b"\r\n\r\n")
        call.cut()
    else:
        call.answer(int(model.removeprefix("s")), {"error": {
            "message": quoted, "type": "x", "code": "some_code"}})


STATUSES = ("400", "401", "403", "404", "408", "413", "422", "429", "500", "503")
MODELS = ("quick", "breaks", "garbage", *(f"s{status}" for status in STATUSES))


def configuration(upstream):
    made = config(upstream, models=MODELS, log={"level": "debug"},
                  defaults={"retries": {"attempts": 1}})
    made["accounts"][0]["headers"] = {"x-tenant": HEADER}
    made["keys"].append({"name": "captured", "key": CAPTURE_KEY, "capture": True})
    return made


def bodies(model, stream):
    """The prompt wherever a dialect has room for text."""
    for name, path, body in dialects(model, stream):
        if name == "gemini":
            body = {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}],
                    "systemInstruction": {"parts": [{"text": SYSTEM}]}}
        else:
            body = {**body, "messages": [{"role": "user", "content": PROMPT}],
                    "tools": []} if name == "anthropic" else {
                        **body, "messages": [{"role": "system", "content": SYSTEM},
                                             {"role": "user", "content": PROMPT}]}
        yield name, path, body


def live(weir, upstream):
    """Everything that may end in a file, a log line or a counter."""
    for model in MODELS:
        for stream in (False, True):
            for _, path, body in bodies(model, stream):
                try:
                    ask(weir.port, path, body)
                except Exception:  # an answer that was cut off is one of the ways it can end
                    pass
    for key in (WRONG_KEY, None):
        for _, path, body in bodies("quick", False):
            ask(weir.port, path, body, key=key)
    ask(weir.port, f"/v1beta/models/quick:generateContent?key={WRONG_KEY}",
        {"contents": [{"parts": [{"text": PROMPT}]}]}, key=None)
    answer = ask(weir.port, f"/v1beta/models/quick:generateContent?key={CLIENT_KEY}",
                 {"contents": [{"parts": [{"text": PROMPT}]}]}, key=None)
    equal(answer.status, 200, "a key in the query, as Gemini's clients may send it")
    for data in (f'{{"model":"quick","messages":"{PROMPT}', f'{{"model":{{"{PROMPT}":1}}}}',
                 f'["{PROMPT}"]'):
        ask(weir.port, "/v1/chat/completions", data.encode())
    with raw(weir.port, f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer "
             f"{CLIENT_KEY}\r\nx-{PROMPT}\r\n\r\n".encode()) as connection:
        connection.recv(4096)
    stream = Stream(weir.port, chat("quick", PROMPT, stream=True))
    stream.close()
    weir.admin("GET", "/api/v1/status", token=WRONG_KEY)
    bad = configuration(upstream)
    bad["keys"].append({"name": "client", "key": WRONG_KEY, "nope": CAPTURE_KEY})
    bad["accounts"][0]["api_key"] = [PROVIDER_KEY]
    good = weir.configuration
    weir.write(bad)
    told = weir.admin("POST", "/api/v1/reload")
    equal(told.status, 400, "the bad file")
    made = weir.admin("POST", "/api/v1/keys", {"name": "made"}).json()
    ask_chat(weir, key=made["key"], text=PROMPT)
    rotated = weir.admin("POST", f"/api/v1/keys/{made['id']}/rotate", {"overlap_s": 60}).json()
    weir.write(good)
    return [made["key"], rotated["key"]], told.text()


def views(weir):
    """What the admin listener shows, as text."""
    for path in ("/metrics", "/api/v1/status", "/api/v1/models", "/api/v1/requests?limit=1000",
                 "/api/v1/keys", "/api/v1/usage?by=key&then_by=model", "/api/v1/openapi.json",
                 "/"):
        yield path, weir.admin("GET", path).text()


def search(places, secrets):
    found = [f"{secret} in {place}" for place, content in places for secret in secrets
             if secret.encode() in content]
    check(not found, lambda: "; ".join(found))


@test
def nothing_is_left_behind():
    with Upstream() as upstream:
        for model in MODELS:
            upstream.on(model, script)
        expected = ["reload_failed"]
        with Weir(configuration(upstream), errors=expected) as weir:
            made, told = live(weir, upstream)
            texts = [PROMPT, SYSTEM, REPLY]
            secrets = [CLIENT_KEY, PROVIDER_KEY, ADMIN_TOKEN, WRONG_KEY, CAPTURE_KEY, HEADER,
                       *made]
            eventually(lambda: weir.metrics()["weir_requests_running"] == 0, "all is settled")
            search([(path, text.encode()) for path, text in views(weir)], secrets + texts)
            search([("the answer to the bad reload", told.encode())], secrets)
            # What it holds in memory it may hand to ps or to a crash report only on purpose.
            arguments = open(f"/proc/{weir.pid}/cmdline", "rb").read()
            search([("the command line", arguments)], secrets)
            weir.stop()
            files = [path for path in weir.data.rglob("*") if path.is_file()]
            check(len(files) >= 3, files)
            search([(path.name, path.read_bytes()) for path in files], secrets + texts)
            search([("the log", weir.log_text().encode())], secrets + texts)
            check("attempt_failed" in weir.log_text(), "the log is that of this run")
            check(not weir.databases("captures-"), "captures although none was switched on")


OIDC_SECRET = "oidc-zebra-secret-4b7e90c1"
WEBHOOK_SECRET = "webhook-zebra-secret-8d3f1a26"
PASSWORD = "zebra correct horse 5519"


class Outside:
    """An identity provider that refuses every code, quoting what it was sent, and a receiver of
    alerts."""

    def __init__(self):
        outer = self
        self.alerts, self.redeemed = [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status, body):
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if self.path == "/.well-known/openid-configuration":
                    return self.answer(200, {
                        "issuer": outer.url, "authorization_endpoint": outer.url + "/authorize",
                        "token_endpoint": outer.url + "/token", "jwks_uri": outer.url + "/keys",
                        "token_endpoint_auth_methods_supported": ["client_secret_post"]})
                if self.path == "/token":
                    outer.redeemed.append(body.decode())
                    return self.answer(400, {"error": f"you sent {body.decode()}"})
                outer.alerts.append(dict(self.headers))
                return self.answer(200, {})

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


@test
def of_people_and_of_what_is_told_outside_nothing_is_left_behind():
    with Upstream() as upstream, Outside() as outside:
        made = config(upstream, log={"level": "debug"}, admin={"oidc": {
            "issuer": outside.url, "client_id": "weir", "client_secret": OIDC_SECRET,
            "roles": {"people": "viewer"}}},
            alerts={"webhook": {"url": outside.url + "/alerts", "secret": WEBHOOK_SECRET}})
        made["keys"][0]["budgets"] = [{"usd": "0.000000001", "per": "total"}]
        with Weir(made) as weir:
            user = weir.admin("POST", "/api/v1/users", {"name": "ada", "roles": ["admin"],
                                                        "password": PASSWORD})
            equal(user.status, 201, user.text())
            signed_in = weir.admin("POST", "/api/v1/sign_in", {"name": "ada", "password": PASSWORD},
                                   token=None)
            equal(signed_in.status, 200, signed_in.text())
            cookie = signed_in.headers["set-cookie"].split(";")[0]
            by_cookie = {"cookie": cookie, "x-weir-csrf": signed_in.json()["csrf"]}
            token = weir.admin("POST", "/api/v1/me/tokens", {"name": "ci"}, token=None,
                               headers=by_cookie).json()["token"]
            equal(weir.admin("GET", "/api/v1/keys", token=token).status, 200, "by the token")
            weir.admin("POST", "/api/v1/sign_in", {"name": "ada", "password": PASSWORD + "x"},
                       token=None)
            start = weir.admin("GET", "/api/v1/oidc/start", token=None)
            equal(start.status, 303, start.text())
            away = urllib.parse.parse_qs(urllib.parse.urlparse(start.headers["location"]).query)
            oidc_cookie = start.headers["set-cookie"].split(";")[0]
            code = "zebra-code-31aa7c02"
            back = weir.admin("GET", f"/api/v1/oidc/callback?state={away['state'][0]}&code={code}",
                              token=None, headers={"cookie": oidc_cookie})
            equal(back.status, 403, back.text())
            check(outside.redeemed and OIDC_SECRET in outside.redeemed[0], "the secret was used")
            ask_chat(weir)
            eventually(lambda: outside.alerts, "the alert")
            check("x-weir-signature" in {name.lower() for name in outside.alerts[0]},
                  outside.alerts[0])
            secrets = [OIDC_SECRET, WEBHOOK_SECRET, PASSWORD, token, code, ADMIN_TOKEN, CLIENT_KEY,
                       cookie.split("=", 1)[1], oidc_cookie.split("=", 1)[1],
                       signed_in.json()["csrf"], away["state"][0]]
            shown = [("/api/v1/users", weir.admin("GET", "/api/v1/users").text()),
                     ("/api/v1/audit", weir.admin("GET", "/api/v1/audit?limit=1000").text()),
                     ("/api/v1/me/tokens", weir.admin("GET", "/api/v1/me/tokens", token=token)
                      .text()), ("the callback", back.text()), *views(weir)]
            search([(path, text.encode()) for path, text in shown], secrets)
            weir.stop()
            files = [path for path in weir.data.rglob("*") if path.is_file()]
            search([(path.name, path.read_bytes()) for path in files], secrets)
            search([("the log", weir.log_text().encode())], secrets)
            check("oidc_sign_in_failed" in weir.log_text(), "the log is that of this run")


def crashed(arguments):
    """The dumps that a crash leaves, with the files of the run."""
    folder = work_folder()
    wrapper = ["sh", "-c", f'ulimit -c unlimited; cd {folder}; exec "$@" {arguments}', "sh"]
    with Upstream() as upstream:
        with Weir(config(upstream), folder=folder, wrapper=wrapper) as weir:
            equal(ask_chat(weir).status, 200, "before the crash")
            weir.killed = True
            os.kill(weir.pid, signal.SIGABRT)
            equal(weir.wait(), -signal.SIGABRT, "how it ended")
    return [path for path in folder.glob("core*") if path.stat().st_size > 0]


@test
def a_crash_leaves_no_dump():
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if pattern.startswith(("|", "/")) or not pattern.startswith("core"):
        raise Skip(f"this machine writes dumps elsewhere: {pattern}")
    equal(crashed(""), [], "dumps")
    # What is searched for here would be found: with --core-dumps it is.
    dumps = crashed("--core-dumps")
    if not dumps:
        raise Skip("this machine writes no dumps at all")
    check(any(PROVIDER_KEY.encode() in path.read_bytes() for path in dumps),
          "a dump that was asked for holds the credentials")
    for path in dumps:
        path.unlink()


@test
def answers_hold_no_credential_of_the_provider():
    with Upstream() as upstream:
        for model in MODELS:
            upstream.on(model, script)
        with Weir(configuration(upstream)) as weir:
            for model in MODELS:
                if model == "quick":
                    continue  # its text is an answer, and stays as it is
                for name, path, body in bodies(model, False):
                    try:
                        answer = ask(weir.port, path, body)
                    except Exception:
                        continue
                    for secret in (PROVIDER_KEY, HEADER):
                        check(secret not in answer.text(), f"{model} in {name}: {answer}")
                        check(secret not in json.dumps(answer.headers), f"{model} in {name}")


@test
def captures_are_kept_apart_and_compressed():
    with Upstream() as upstream:
        upstream.on("quick", script)
        with Weir(configuration(upstream)) as weir:
            answers = [ask(weir.port, path, body, key=CAPTURE_KEY)
                       for _, path, body in bodies("quick", False)]
            other = ask_chat(weir, text=PROMPT)
            for answer in answers:
                row = weir.row(answer)
                check(row["captured"], f"not captured: {row}")
                check(PROMPT in row["capture"]["request"] and REPLY in row["capture"]["response"],
                      "the captured messages")
                for secret in (CAPTURE_KEY, HEADER):
                    check(secret not in row["capture"]["request"], "a credential was captured")
            row = weir.row(other)
            check(not row["captured"] and "capture" not in row, f"captured: {row}")
            weir.stop()
            blobs = [blob for path in weir.databases("captures-")
                     for row in query(path, "SELECT request, response FROM capture")
                     for blob in row]
            equal(len(blobs), 6, "captured messages")
            check(all(blob.startswith(ZSTD_MAGIC) for blob in blobs), "not compressed")
            # Compression leaves short texts legible: only the other files must be clean.
            files = [path for path in weir.data.rglob("*")
                     if path.is_file() and not path.name.startswith("captures-")]
            search([(path.name, path.read_bytes()) for path in files], [PROMPT, SYSTEM, REPLY])
            search([("the log", weir.log_text().encode())], [PROMPT, SYSTEM, REPLY])


@test
def files_are_for_their_owner_alone():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        weir.row(ask_chat(weir))
        for path in weir.data.iterdir():
            mode = path.stat().st_mode & 0o777
            check(mode & 0o077 == 0, f"{path.name} has mode {mode:o}")
        others = weir.data.stat().st_mode & 0o007
        equal(others, 0, "what others may do in data_dir")


@test
def a_secret_file_that_others_can_read_is_refused():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        weir.stop()
        (weir.data / "key_hash.secret").chmod(0o644)
        done = subprocess.run([WEIR, "serve", "-q", "-c", str(weir.file)], capture_output=True,
                              text=True, check=False, timeout=60)
        equal(done.returncode, 1, "exit code")
        check("key_hash.secret" in done.stderr, done.stderr)


if __name__ == "__main__":
    main()
