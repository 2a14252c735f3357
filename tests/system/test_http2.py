#!/usr/bin/env python3
"""HTTP/2 with peers that are not Weir: curl and Node.js as clients, Node.js as the provider."""

import contextlib
import json
import pathlib
import shutil
import subprocess

from certificates import Authority
from harness import (CLIENT_KEY, PROVIDER_KEY, Skip, Weir, ask_chat, check, config, equal,
                     eventually, main, test, work_folder)
from upstream import Upstream

PEER = pathlib.Path(__file__).with_name("peer.mjs")


def node():
    found = shutil.which("node")
    if not found:
        raise Skip("no Node.js")
    return found


def peer(*words):
    done = subprocess.run([node(), str(PEER), *map(str, words)], stdout=subprocess.PIPE, text=True,
                          timeout=120, check=True)
    return json.loads(done.stdout)


@contextlib.contextmanager
def provider(mode, certificate="-", key="-"):
    process = subprocess.Popen([node(), str(PEER), "provider", str(certificate), str(key), mode],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(process.stdout.readline())["port"]
    finally:
        process.stdin.close()
        process.wait(60)


def account(port, **more):
    scheme = "https" if "tls" in more else "http"
    host = "localhost" if "tls" in more else "127.0.0.1"
    return [{"name": "up", "provider": "openai_compatible", "api_key": PROVIDER_KEY,
             "endpoint": f"{scheme}://{host}:{port}/v1", "http2": True, **more}]


def curl(*words):
    done = subprocess.run(["curl", "-s", "-w", "\n%{http_version} %{http_code}", *words],
                          stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    body, _, verdict = done.stdout.rpartition("\n")
    return body, verdict


def curl_chat(url, *words):
    return curl(*words, "-H", f"authorization: Bearer {CLIENT_KEY}",
                "-H", "content-type: application/json", "-d",
                json.dumps({"model": "quick", "messages": [{"role": "user", "content": "hi"}]}),
                f"{url}/v1/chat/completions")


@test
def curl_speaks_it_by_prior_knowledge_and_by_alpn():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        body, verdict = curl_chat(f"http://127.0.0.1:{weir.port}", "--http2-prior-knowledge")
        equal(verdict, "2 200", "prior knowledge")
        check(json.loads(body)["choices"], "an answer")
        equal(curl_chat(f"http://127.0.0.1:{weir.port}")[1], "1.1 200", "HTTP/1.1 beside it")
    folder = work_folder()
    authority = Authority(folder)
    certificate, key = authority.sign("server")
    tls = {"certificate": str(certificate), "key": str(key)}
    for on, version in ((True, "2"), (False, "1.1")):
        with Upstream() as upstream, \
                Weir(config(upstream, server={"tls": tls, "http2": on})) as weir:
            _, verdict = curl_chat(f"https://localhost:{weir.port}", "--http2", "--cacert",
                                   str(authority.file))
            equal(verdict, f"{version} 200", f"ALPN, http2: {on}")
    shutil.rmtree(folder)


@test
def a_hundred_streams_share_a_connection():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        said = peer("client", f"http://127.0.0.1:{weir.port}", "-", CLIENT_KEY, 100, 20_000)
        equal([answer["status"] for answer in said["answers"]], [200] * 100, "statuses")
        for index, answer in enumerate(said["answers"]):
            ends = answer["body"].endswith("data: [DONE]\n\n") if index % 2 else \
                json.loads(answer["body"])["choices"]
            check(ends, f"answer {index}: {answer['body'][-200:]}")
        equal(weir.metrics()["weir_http2_connections_total"], 1, "connections")


@test
def rapid_resets_end_the_connection_and_harm_nobody():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        said = peer("reset", f"http://127.0.0.1:{weir.port}", CLIENT_KEY, 5000)
        equal(said["goaway"], 11, "ENHANCE_YOUR_CALM")
        equal(weir.metrics()['weir_http2_faults_total{fault="resets"}'], 1, "faults")
        equal(ask_chat(weir).status, 200, "others")
        eventually(lambda: weir.metrics()["weir_http_connections_open"] <= 1, "it is closed")


@test
def providers_are_asked_by_it_where_they_agree():
    folder = work_folder()
    authority = Authority(folder)
    certificate, key = authority.sign("server")
    tls = {"ca_file": str(authority.file)}
    for mode, secure, version in (("plain", False, "HTTP/2.0"), ("plain", True, "HTTP/2.0"),
                                  ("http1", True, "HTTP/1.1")):
        files = (certificate, key) if secure else ()
        with Upstream() as unused, provider(mode, *files) as port, \
                Weir(config(unused, accounts=account(port, **({"tls": tls} if secure else {})),
                            server={"workers": 1})) as weir:
            for _ in range(3):
                answer = ask_chat(weir)
                equal(answer.status, 200, f"{mode}, TLS {secure}")
                equal(answer.json()["choices"][0]["message"]["content"], f"{version} 1",
                      "version, and connections so far")
            body, verdict = curl_chat(f"http://127.0.0.1:{weir.port}", "--http2-prior-knowledge")
            equal(verdict, "2 200", "HTTP/2 on both sides")
            check(version in body, body)
    shutil.rmtree(folder)


@test
def what_a_provider_refuses_unseen_is_sent_again():
    with Upstream() as unused, provider("refuse") as port, \
            Weir(config(unused, accounts=account(port), server={"workers": 1})) as weir:
        answer = ask_chat(weir)
        equal(answer.status, 200, "status")
        equal(weir.metrics()["weir_upstream_http2_streams_total"], 2, "streams")
        equal(weir.metrics()['weir_retries_total{model="quick"}'], 0, "no attempt was spent")


if __name__ == "__main__":
    main()
