#!/usr/bin/env python3
"""Access tokens of Microsoft Entra and of Google service accounts, by a scripted endpoint."""

import base64
import concurrent.futures
import json
import shutil
import threading
import time
import urllib.parse

from certificates import openssl
from harness import (Weir, ask, ask_chat, chat, check, check_error, command, config, dialects,
                     equal, eventually, main, test, work_folder)
from upstream import Upstream, small_answer

SECRET = "entra-client-secret-4f5a/+ &="
TOKEN_PATH = "/login/token"


class Endpoint:
    """A token endpoint and a provider that takes only the tokens in `valid`."""

    def __init__(self, upstream, lifetime=3600):
        self.upstream = upstream
        self.lifetime = lifetime
        self.given = 0
        self.valid = set()
        self.forms = []
        self.open = threading.Event()
        self.open.set()
        self.failure = None
        self.lock = threading.Lock()
        upstream.on(TOKEN_PATH, self.token)
        upstream.on("quick", self.provider)

    def token(self, call):
        with self.lock:
            self.forms.append(dict(urllib.parse.parse_qsl(call.body.decode())))
        self.open.wait(60)
        if self.failure:
            call.answer(*self.failure)
            return
        with self.lock:
            self.given += 1
            token = f"token-{self.given}"
            self.valid.add(token)
        call.answer(body={"access_token": token, "expires_in": self.lifetime,
                          "token_type": "Bearer"})

    def provider(self, call):
        if call.token() in self.valid:
            small_answer(call)
        else:
            call.answer(401, {"error": {"message": "expired", "code": "401"}})


def entra(upstream):
    made = config(upstream)
    made["accounts"] = [{"name": "azure", "provider": "azure_openai", "endpoint": upstream.url,
                         "api_version": "2024-10-21",
                         "token_endpoint": upstream.url + TOKEN_PATH,
                         "entra": {"tenant": "t", "client_id": "client-1",
                                   "client_secret": SECRET}}]
    made["models"][0]["deployments"] = [{"account": "azure", "deployment": "quick"}]
    return made


def google(upstream, folder):
    key = folder / "account.pem"
    if not key.exists():
        openssl("genrsa", "-out", key, "2048")
    file = folder / "account.json"
    file.write_text(json.dumps({
        "type": "service_account", "client_email": "weir@acme.iam.gserviceaccount.com",
        "private_key_id": "kid-1", "private_key": key.read_text(),
        "token_uri": upstream.url + TOKEN_PATH}))
    made = config(upstream)
    made["accounts"] = [{"name": "vertex", "provider": "vertex_ai", "project": "acme",
                         "location": "us-central1", "endpoint": upstream.url,
                         "service_account": str(file)}]
    made["models"][0]["deployments"] = [{"account": "vertex"}]
    return made


def until_served(weir):
    return eventually(lambda: (a := ask_chat(weir)).status == 200 and a, "an answer by a token")


@test
def entra_client_credentials():
    with Upstream() as upstream:
        endpoint = Endpoint(upstream)
        with Weir(entra(upstream)) as weir:
            until_served(weir)
            equal(endpoint.forms, [{
                "grant_type": "client_credentials", "client_id": "client-1",
                "client_secret": SECRET,
                "scope": "https://cognitiveservices.azure.com/.default"}], "the token requests")
            for name, path, body in dialects():
                equal(ask(weir.port, path, body).status, 200, name)
            calls = [call for call in upstream.calls if call.path != TOKEN_PATH]
            equal({call.token() for call in calls}, {"token-1"}, "tokens at the provider")
            check(all("/openai/deployments/quick/" in call.path for call in calls), "paths")
            check(SECRET not in weir.log_text(), "the secret is in the log")


@test
def google_service_account():
    folder = work_folder()
    with Upstream() as upstream:
        endpoint = Endpoint(upstream)
        with Weir(google(upstream, folder)) as weir:
            began = time.time()
            until_served(weir)
            form = endpoint.forms[0]
            equal(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer", "grant_type")
            check_jwt(folder, form["assertion"], upstream.url + TOKEN_PATH, began)
            calls = [call for call in upstream.calls if call.path != TOKEN_PATH]
            equal({call.token() for call in calls}, {"token-1"}, "tokens at the provider")
            wanted = ("/v1/projects/acme/locations/us-central1/publishers/google/models/"
                      "quick:generateContent")
            equal({call.path for call in calls}, {wanted}, "paths")
    shutil.rmtree(folder)


def check_jwt(folder, jwt, audience, now):
    def decode(part):
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    header, claims, signature = jwt.split(".")
    equal(json.loads(decode(header)), {"alg": "RS256", "typ": "JWT", "kid": "kid-1"}, "header")
    said = json.loads(decode(claims))
    equal((said["iss"], said["aud"], said["scope"]),
          ("weir@acme.iam.gserviceaccount.com", audience,
           "https://www.googleapis.com/auth/cloud-platform"), "claims")
    check(abs(said["iat"] - now) < 120 and 0 < said["exp"] - said["iat"] <= 3600, f"times: {said}")
    openssl("rsa", "-in", folder / "account.pem", "-pubout", "-out", folder / "public.pem")
    (folder / "signature").write_bytes(decode(signature))
    told = openssl("dgst", "-sha256", "-verify", folder / "public.pem", "-signature",
                   folder / "signature", data=f"{header}.{claims}".encode())
    check(b"Verified OK" in told, told)
    check("=" not in jwt, "base64url is without padding")


@test
def fifty_requests_before_the_first_token_lead_to_one_fetch():
    with Upstream() as upstream:
        endpoint = Endpoint(upstream)
        endpoint.open.clear()
        with Weir(entra(upstream)) as weir:
            eventually(lambda: endpoint.forms, "the fetch")
            with concurrent.futures.ThreadPoolExecutor(50) as pool:
                early = [pool.submit(ask_chat, weir) for _ in range(50)]
                # While none has come they are told so, or wait; they make no fetches of their own.
                eventually(lambda: any(f.done() for f in early) or
                           weir.metrics()["weir_requests_running"] >= 50, "the requests are in", 20)
                endpoint.open.set()
                answers = [future.result() for future in early]
            for answer in answers:
                if answer.status != 200:
                    check_error(answer, "openai", 503)
            until_served(weir)
            equal((len(endpoint.forms), endpoint.given), (1, 1), "fetches")
            # What happened before the token came parks nothing.
            eventually(lambda: all(ask_chat(weir).status == 200 for _ in range(20)), "all served")


@test
def a_token_is_replaced_before_it_ends():
    with Upstream() as upstream:
        endpoint = Endpoint(upstream, lifetime=4)
        with Weir(entra(upstream)) as weir:
            until_served(weir)
            statuses = []
            while endpoint.given < 3:
                statuses.append(ask_chat(weir).status)
            equal(set(statuses), {200}, "while tokens were replaced")
            used = {call.token() for call in upstream.calls if call.path != TOKEN_PATH}
            check({"token-1", "token-2"} <= used, f"tokens at the provider: {used}")


@test
def a_token_that_the_provider_refuses_is_replaced():
    with Upstream() as upstream:
        endpoint = Endpoint(upstream)
        with Weir(entra(upstream)) as weir:
            until_served(weir)
            endpoint.valid.clear()
            refused = ask_chat(weir)
            check_error(refused, "openai", 503)
            equal(weir.row(refused)["error_code"], "upstream_credential", "the row")
            until_served(weir)
            equal(endpoint.given, 2, "tokens given")
            models = weir.admin("GET", "/api/v1/models").json()["models"]
            equal(models[0]["deployments"][0]["open"], True, "the account is open again")


@test
def an_endpoint_that_fails_is_asked_again_and_the_log_tells():
    with Upstream() as upstream:
        endpoint = Endpoint(upstream)
        endpoint.failure = (400, {"error": "invalid_client",
                                  "error_description": "AADSTS7000215: wrong secret"})
        with Weir(entra(upstream), errors=["access_token_failed"]) as weir:
            told = eventually(lambda: weir.lines("access_token_failed"), "the log")
            check("AADSTS7000215" in told[0]["problem"] and told[0]["account"] == "azure", told[0])
            error = check_error(ask_chat(weir), "openai", 503)
            check(SECRET not in json.dumps(error) + weir.log_text(), "the secret was told")
            endpoint.failure = None
            until_served(weir)
            for bad in ((200, {"token": "x"}), (200, b"<html>"), (500, b"")):
                endpoint.failure = bad
                before = len(weir.lines("access_token_failed"))
                endpoint.valid.clear()
                ask_chat(weir)
                eventually(lambda: len(weir.lines("access_token_failed")) > before, f"{bad}")
                check(weir.running(), "it runs")
                endpoint.failure = None
                until_served(weir)


@test
def a_reload_keeps_the_token():
    with Upstream() as upstream:
        endpoint = Endpoint(upstream)
        with Weir(entra(upstream)) as weir:
            until_served(weir)
            for _ in range(5):
                equal(weir.admin("POST", "/api/v1/reload").status, 200, "reload")
                equal(ask_chat(weir).status, 200, "after the reload")
            equal(endpoint.given, 1, "tokens given")


@test
def a_key_file_that_cannot_sign_is_refused_at_the_start():
    folder = work_folder()
    with Upstream() as upstream:
        made = google(upstream, folder)
        made["data_dir"] = str(folder / "data")
        (folder / "weir.yaml").write_text(json.dumps(made))
        file = folder / "account.json"
        good = file.read_text()
        for name, text in [("no JSON", "{"), ("no private_key", '{"client_email":"a@b"}'),
                           ("nonsense", good.replace("BEGIN PRIVATE KEY", "BEGIN NOTHING")
                            .replace("BEGIN RSA PRIVATE KEY", "BEGIN NOTHING"))]:
            file.write_text(text)
            done = command("serve", "-q", "-c", str(folder / "weir.yaml"))
            equal(done.returncode, 1, f"{name}: exit code ({done.stderr})")
            check("account.json" in done.stderr, f"{name}: {done.stderr}")
            check("PRIVATE" not in done.stderr.replace("private_key", ""), done.stderr)
    shutil.rmtree(folder)


@test
def chat_by_a_second_account_while_the_first_has_no_token():
    with Upstream() as upstream:
        endpoint = Endpoint(upstream)
        endpoint.failure = (500, b"")
        made = entra(upstream)
        made["accounts"].append({"name": "up", "provider": "openai_compatible",
                                 "api_key": "sk-plain", "endpoint": f"{upstream.url}/v1"})
        made["models"][0]["deployments"].append({"account": "up", "model": "plain"})
        with Weir(made, errors=["access_token_failed"]) as weir:
            for _ in range(20):
                equal(ask(weir.port, "/v1/chat/completions", chat()).status, 200, "status")


if __name__ == "__main__":
    main()
