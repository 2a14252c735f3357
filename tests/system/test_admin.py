#!/usr/bin/env python3
"""The admin listener: who may ask, what it lists, and what Prometheus reads."""

import http.client
import re

from harness import (ADMIN_TOKEN, Weir, ask, ask_chat, chat, check, config, dialects, equal,
                     eventually, main, test)
from upstream import Upstream

# What the document must list, from the design; more may be there.
ROUTES = {
    ("get", "/api/v1/status"), ("get", "/api/v1/models"), ("get", "/api/v1/requests"),
    ("get", "/api/v1/requests/{id}"), ("get", "/api/v1/usage"), ("get", "/api/v1/keys"),
    ("post", "/api/v1/keys"), ("post", "/api/v1/keys/{id}/rotate"),
    ("delete", "/api/v1/keys/{id}"), ("post", "/api/v1/reload"),
    ("get", "/api/v1/openapi.json"), ("get", "/metrics"),
}


def document(weir):
    answer = weir.admin("GET", "/api/v1/openapi.json")
    equal(answer.status, 200, "openapi.json")
    return answer.json()


@test
def every_route_asks_for_the_token():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        routes = [(method, path) for path, methods in document(weir)["paths"].items()
                  for method, operation in methods.items()
                  if operation["x-weir-permission"] != "anyone"]
        check(len(routes) >= 12, routes)
        for method, path in routes:
            path = path.replace("{id}", "0cn5hbb920800")
            for token in (None, "", "wrong", ADMIN_TOKEN[:-1], ADMIN_TOKEN + "x"):
                answer = weir.admin(method.upper(), path, token=token)
                equal(answer.status, 401, f"{method} {path} with {token!r}")
                check(ADMIN_TOKEN not in answer.text(), "the token is in the answer")
            for headers in ({"authorization": ADMIN_TOKEN}, {"authorization": "Basic eDp5"},
                            {"x-api-key": ADMIN_TOKEN}, {"authorization": f"bearer{ADMIN_TOKEN}"}):
                answer = weir.admin(method.upper(), path, token=None, headers=headers)
                equal(answer.status, 401, f"{method} {path} with {headers}")
        equal(weir.generation(), 1, "nothing happened")
        # A key of the data plane opens nothing here.
        equal(weir.admin("GET", "/api/v1/status", token="wk-system-client-4b1f8a6d2c").status, 401,
              "a client's key")
        equal(ask(weir.admin_port, "/healthz", method="GET", key=None).status, 200, "/healthz")


@test
def the_admin_api_is_not_on_the_public_listener():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        for path in ("/api/v1/status", "/api/v1/keys", "/metrics", "/console.js", "/"):
            answer = ask(weir.port, path, method="GET",
                         headers={"authorization": f"Bearer {ADMIN_TOKEN}"})
            equal(answer.status, 404, path)


@test
def without_a_token_only_this_machine_is_answered():
    made_admin = {"listen": "127.0.0.1:0", "token": ""}
    with Upstream() as upstream, Weir(config(upstream, admin=made_admin)) as weir:
        port = weir.admin_port
        def status(**headers):
            return ask(port, "/api/v1/status", method="GET", key=None, headers=headers).status
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", "localhost", "127.0.0.1",
                     f"[::1]:{port}"):
            equal(status(host=host), 200, f"Host {host}")
        for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example",
                     "127.0.0.1.evil.example", "[::1].evil.example", "127.0.0.2", "0.0.0.0",
                     "2130706433", "localhost@evil.example"):
            check(status(host=host) in (400, 403), f"Host {host}")
        for origin in (f"http://127.0.0.1:{port}", f"http://localhost:{port}"):
            equal(status(origin=origin), 200, f"Origin {origin}")
        for origin in ("http://evil.example", "https://localhost.evil.example", "null",
                       "http://localhost@evil.example", "http://127.0.0.1.evil.example", ""):
            equal(status(origin=origin), 403, f"Origin {origin}")
        answer = ask(port, "/api/v1/keys", {"name": "x"}, key=None,
                     headers={"origin": "http://evil.example"})
        equal(answer.status, 403, "making a key from a foreign page")
        check("access-control-allow-origin" not in answer.headers, answer.headers)


def first_event(weir):
    """The first line that the stream of events tells; it has no end."""
    connection = http.client.HTTPConnection("127.0.0.1", weir.admin_port, timeout=20)
    try:
        connection.request("GET", "/api/v1/events",
                           headers={"authorization": f"Bearer {ADMIN_TOKEN}"})
        answer = connection.getresponse()
        equal(answer.headers["content-type"], "text/event-stream", "events")
        while True:
            line = answer.readline()
            if not line or line.startswith(b"event"):
                return line
    finally:
        connection.close()


@test
def the_document_lists_every_route_and_every_route_answers():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        row = ask_chat(weir)
        made = document(weir)
        check(made["openapi"].startswith("3.1"), made["openapi"])
        listed = {(method, path) for path, methods in made["paths"].items() for method in methods}
        check(ROUTES <= listed, f"not listed: {ROUTES - listed}")
        weir.row(row)
        for method, path in sorted(listed):
            operation = made["paths"][path][method]
            check(operation["summary"] and operation["responses"], f"{method} {path}")
            if method == "get" and path == "/api/v1/events":
                check(first_event(weir).startswith(b"event: "), path)
            elif method == "get":
                answer = weir.admin("GET", path.replace("{id}", row.id()))
                # Without an identity provider there is nowhere to go, and the id is a request's.
                elsewhere = path.startswith(("/api/v1/oidc/", "/api/v1/jobs/{id}",
                                             "/api/v1/generations/{id}"))
                equal(answer.status, 404 if elsewhere else 200, path)
                equal(answer.headers["cache-control"], "no-store", path)
            else:
                body = operation.get("requestBody", {}).get("content", {})
                example = body.get("application/json", {}).get("example")
                answer = weir.admin(method.upper(), path.replace("{id}", "none"), example)
                # Whoever comes by admin.token is no person: no password, no tokens of their own.
                own = path == "/api/v1/sign_in" or path.startswith("/api/v1/me/")
                check(answer.status in ((200, 201, 401, 403, 404) if own else (200, 201, 202, 404)),
                      f"{method} {path}: {answer}")
                if answer.status >= 400:
                    check(answer.json()["error"]["message"], f"{method} {path}: {answer}")


@test
def what_is_wrong_is_said():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        for method, path, body, status in [
                ("GET", "/api/v1/nothing", None, 404), ("GET", "/api/v1", None, 404),
                ("PUT", "/api/v1/keys", b"{}", 405), ("POST", "/api/v1/status", b"{}", 405),
                ("POST", "/api/v1/keys", b"{", 400), ("POST", "/api/v1/keys", b"\xff", 400),
                ("POST", "/api/v1/keys", b'{"name":"a","name":"b"}', 400),
                ("POST", "/api/v1/keys", b'{"name":"' + b"x" * (2 << 20) + b'"}', 413),
                ("GET", "/api/v1/requests?limit=0", None, 400),
                ("GET", "/api/v1/requests?limit=x", None, 400),
                ("GET", "/api/v1/requests?limit=1001", None, 400),
                ("GET", "/api/v1/requests?before=zzz", None, 400),
                ("GET", "/api/v1/requests?since=-5", None, 400),
                ("GET", "/api/v1/requests/none", None, 404),
                ("GET", "/api/v1/requests/req_0000000000000", None, 404),
                ("GET", "/api/v1/usage?by=color", None, 400),
                ("GET", "/api/v1/keys/../../etc/passwd", None, 404),
                ("GET", "/%2e%2e/etc/passwd", None, 404),
                ("DELETE", "/api/v1/keys/client", None, 404)]:
            answer = weir.admin(method, path, body)
            equal(answer.status, status, f"{method} {path}")
            check(answer.json()["error"]["message"], f"{method} {path}: a message")
        equal(ask_chat(weir).status, 200, "afterwards")


SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)'
                    r'(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*\})? '
                    r'(NaN|[+-]Inf|[+-]?[0-9][0-9.eE+-]*)')


def check_prometheus(text):
    """The text format 0.0.4: families declared once and first, samples whole and not twice,
    histograms that add up. Returns {sample: value}."""
    kinds, helps, seen, closed = {}, set(), {}, set()
    family = None
    check(text.endswith("\n"), "the last line has no end")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split(" ")[2]
            check(name not in helps, f"HELP twice: {name}")
            helps.add(name)
        elif line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:4]
            check(name not in kinds and name in helps, f"TYPE twice or without HELP: {name}")
            check(kind in ("counter", "gauge", "histogram"), line)
            kinds[name], family = kind, name
        else:
            found = SAMPLE.fullmatch(line)
            check(found, f"no sample: {line!r}")
            name = found.group(1)
            base = name
            if kinds.get(family) == "histogram":
                base = re.sub("_(bucket|sum|count)$", "", name)
            equal(base, family, f"a sample outside of its family: {line}")
            check(line.rsplit(" ", 1)[0] not in seen, f"a sample twice: {line}")
            seen[line.rsplit(" ", 1)[0]] = float(found.group(3))
            closed.add(base)
            if kinds[base] == "counter":
                check(name.endswith("_total") and float(found.group(3)) >= 0, f"counter: {line}")
    check_histograms(seen, {name for name, kind in kinds.items() if kind == "histogram"})
    return seen


def check_histograms(seen, names):
    series = {}
    for sample, value in seen.items():
        name, _, labels = sample.partition("{")
        base, _, part = name.rpartition("_")
        if base not in names:
            continue
        edge = re.search(r'le="([^"]+)"', labels)
        rest = re.sub(r',?le="[^"]+"', "", labels).strip("{},")
        entry = series.setdefault((base, rest), {"buckets": []})
        if part == "bucket":
            entry["buckets"].append((float(edge.group(1).replace("+Inf", "inf")), value))
        else:
            entry[part] = value
    for key, entry in series.items():
        edges = [edge for edge, _ in entry["buckets"]]
        values = [value for _, value in entry["buckets"]]
        equal(edges, sorted(edges), f"{key}: edges")
        equal(values, sorted(values), f"{key}: buckets are sums")
        check(edges[-1] == float("inf") and values[-1] == entry["count"], f"{key}: {entry}")


@test
def metrics_are_prometheus_text_and_count():
    with Upstream() as upstream:
        made = config(upstream, models=("quick", "odd-name"))
        upstream.on("odd-name", lambda call: call.answer(500, {"error": {"message": "x"}}))
        with Weir(made) as weir:
            check_prometheus(weir.admin("GET", "/metrics").text())
            for number in range(3):
                for name, path, body in [*dialects(), *dialects(stream=True)]:
                    equal(ask(weir.port, path, body).status, 200, name)
            ask_chat(weir, "odd-name")
            ask_chat(weir, key="no-such-key")
            ask_chat(weir, "nowhere")
            def seen():
                return check_prometheus(weir.admin("GET", "/metrics").text())
            def total(name, **labels):
                return sum(value for sample, value in seen().items()
                           if sample.split("{")[0] == name and
                           all(f'{k}="{v}"' in sample for k, v in labels.items()))
            eventually(lambda: total("weir_requests_total", model="quick", outcome="ok") == 18,
                       "18 requests")
            equal(total("weir_requests_total", model="odd-name", outcome="error"), 1, "errors")
            equal(total("weir_refused_keys_total"), 1, "refused keys")
            equal(total("weir_responses_total", **{"class": "2xx"}), 18, "answers 2xx")
            equal(total("weir_input_tokens_total"), 180, "input tokens")
            equal(total("weir_output_tokens_total"), 90, "output tokens")
            # 18 calls of 10 * 1 + 5 * 2 dollars a million.
            check(abs(total("weir_cost_usd_total") - 18 * 20e-6) < 1e-12, "cost")
            eventually(lambda: total("weir_ledger_rows_total") == 21, "a row for each request")
            equal(total("weir_attempt_seconds_count", deployment="up/quick"), 18, "histogram")


@test
def the_console_is_served_with_its_safeguards():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        page = ask(weir.admin_port, "/", method="GET", key=None).text()
        parts = re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css))"', page)
        check(any(path.endswith(".js") for path in parts), page[:2000])
        kinds = {"js": "text/javascript", "css": "text/css"}
        for path, kind in [("/", "text/html"), *((path, kinds[path.rpartition(".")[2]])
                                                 for path in parts)]:
            answer = ask(weir.admin_port, path, method="GET", key=None)
            equal(answer.status, 200, path)
            check(answer.headers["content-type"].startswith(kind), answer.headers)
            check(re.match("default-src '(self|none)';",
                           answer.headers["content-security-policy"]), answer.headers)
            equal(answer.headers["x-content-type-options"], "nosniff", path)
            check("frame-ancestors 'none'" in answer.headers["content-security-policy"], path)


@test
def usage_and_requests_agree_page_by_page():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        asked = [ask(weir.port, "/v1/chat/completions", chat()).id() for _ in range(25)]
        weir.row(asked[-1])
        eventually(lambda: len(weir.rows()) == 25, "all rows")
        found, before = [], ""
        while True:
            page = weir.admin("GET", f"/api/v1/requests?limit=10{before}").json()
            found += [row["id"] for row in page["requests"]]
            if page["next"] is None:
                break
            before = f"&before={page['next']}"
        equal(sorted(found), sorted(asked), "ids over the pages, each once")
        equal(found, sorted(found, reverse=True), "newest first")
        usage = weir.admin("GET", "/api/v1/usage?by=model").json()["usage"]
        equal([(entry["group"], entry["requests"], entry["input_tokens"], entry["cost_nano_usd"])
               for entry in usage], [("quick", 25, 250, 25 * 20_000)], "usage")


if __name__ == "__main__":
    main()
