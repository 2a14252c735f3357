#!/usr/bin/env python3
"""Bad input over sockets to the real process: every refusal in the client's dialect, nothing that
stops the process, nothing on the log at level error."""

import http.client
import json
import socket

from harness import (Weir, ask, ask_chat, chat, check, check_error, config, dialects, equal,
                     eventually, main, raw, test)
from upstream import Upstream
from wire import Answered, exchange, head, read_answers, request


@test
def bodies_that_are_no_requests_in_every_dialect():
    bodies = {
        "empty": b"", "no JSON": b"hello", "half": b'{"model":"quick"', "list": b"[]",
        "number": b"5", "null": b"null", "text": b'"x"', "trailing": b'{"model":"quick"} x',
        "two": b'{"model":"quick"}{"model":"quick"}', "comment": b'{"model":"quick"/**/}',
        "single quotes": b"{'model':'quick'}", "NaN": b'{"model":"quick","temperature":NaN}',
        "bad UTF-8": b'{"model":"quick","messages":[{"role":"user","content":"\xff\xfe"}]}',
        "cut UTF-8": b'{"model":"quick","user":"\xe2\x82"}',
        "control": b'{"model":"quick","user":"a\x01b"}', "BOM": b'\xef\xbb\xbf{}',
        "duplicate": b'{"model":"quick","model":"other","messages":[]}',
        "escape": b'{"model":"qu\\ick"}', "deep list": b"[" * 100_000,
        "deep object": b'{"a":' * 100_000,
        "deep whole": b'{"m":' + b"[" * 5000 + b"]" * 5000 + b"}",
        "zero bytes": b"\0" * 1000,
    }
    with Upstream() as upstream, Weir(config(upstream, models=("quick", "other"))) as weir:
        for name, data in bodies.items():
            for dialect, path, _ in dialects():
                with raw(weir.port, request(data, path)) as connection:
                    answers = read_answers(connection, 1)
                check(answers, f"{name} in {dialect}: no answer")
                check(answers[0][0] == 400, f"{name} in {dialect}: {answers[0]}")
                check_error(Answered(answers[0]), dialect)
        equal(upstream.calls, [], "nothing may reach the provider")
        equal(ask_chat(weir).status, 200, "afterwards")


@test
def odd_but_lawful_json_reaches_the_provider_whole_or_is_refused():
    # The text of a message, and members beside it.
    odd = {
        "half a surrogate pair": (r'"\ud800"', ""), "a pair": (r'"\ud83d\ude00"', ""),
        "NUL": (r'"a\u0000b"', ""), "every escape": (r'"\"\\\/\b\f\n\r\t"', ""),
        "line separators": ('"\u2028\u2029"', ""), "not characters": ('"\uffff\ufffe"', ""),
        "long": ('"' + "x" * 200_000 + '"', ""), "huge number": ('"x"', ',"seed":1' + "0" * 1000),
        "tiny number": ('"x"', ',"temperature":1e-400'),
        "negative zero": ('"x"', ',"temperature":-0.0'),
        "unknown": ('"x"', ',"zzz":{"a":[1,{"b":null}]}'),
    }
    forms = {
        "openai": '{"model":"quick","messages":[{"role":"user","content":%s}]%s}',
        "anthropic": '{"model":"quick","max_tokens":5,"messages":[{"role":"user","content":%s}]%s}',
        "gemini": '{"contents":[{"role":"user","parts":[{"text":%s}]}]%s}',
    }
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        for name, values in odd.items():
            for dialect, path, _ in dialects():
                upstream.calls.clear()
                answer = ask(weir.port, path, (forms[dialect] % values).encode())
                check(answer.status in (200, 400), f"{name} in {dialect}: {answer}")
                if answer.status == 400:
                    check_error(answer, dialect)
                    continue
                sent = upstream.calls[0].json()["messages"][0]["content"]
                if isinstance(sent, list):
                    sent = sent[0]["text"]
                if "half" not in name:
                    equal(sent, json.loads(values[0]), f"{name} in {dialect}")


@test
def wrong_types_in_every_dialect():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        wrong = {
            "openai": ("/v1/chat/completions", [
                {"model": 5}, {"model": None}, {"model": {}}, {"model": ""}, {"stream": "yes"},
                {"stream": 1}, {"messages": {}}, {"messages": "x"}, {"messages": None}]),
            "anthropic": ("/v1/messages", [
                {"model": 5}, {"model": []}, {"stream": "yes"}, {"messages": {}},
                {"messages": "x"}, {"messages": [5]}, {"messages": [{"role": 5}]},
                {"max_tokens": "many"}]),
            "gemini": ("/v1beta/models/quick:generateContent", [
                {"contents": {"x": 1}}, {"contents": "x"}, {"contents": [5]},
                {"contents": [{"parts": 5}]}, {"contents": [{"parts": [{"text": 5}]}]}]),
        }
        for dialect, (path, changes) in wrong.items():
            whole = next(body for name, _, body in dialects() if name == dialect)
            for change in changes:
                answer = ask(weir.port, path, {**whole, **change})
                # What is the same dialect on both sides may be left to the provider to refuse.
                if answer.status == 200 and dialect == "openai" and "messages" in change:
                    continue
                check_error(answer, dialect, 400)
        check_error(ask(weir.port, "/v1/chat/completions", chat("nowhere")), "openai", 404)
        check_error(ask(weir.port, "/v1/messages", {**chat("nowhere"), "max_tokens": 5}),
                    "anthropic", 404)
        check_error(ask(weir.port, "/v1beta/models/nowhere:generateContent", {"contents": []}),
                    "gemini", 404)
        for dialect, path, body in dialects():
            check_error(ask(weir.port, path, body, key=None), dialect, 401)
            check_error(ask(weir.port, path, body, key="wrong"), dialect, 401)
            check_error(ask(weir.port, path, body, key="x" * 10_000), dialect, 401)
            check_error(ask(weir.port, path, method="GET"), dialect, 405)
        check_error(ask(weir.port, "/v1/nothing", {}), "openai", 404)
        check_error(ask(weir.port, "/v1beta/nothing", {}), "gemini", 404)


@test
def names_that_could_break_out_of_a_line_do_not():
    """A model's name ends up in paths, headers, logs and rows."""
    names = ["a\r\nx-evil: 1", "a b", "../../etc/passwd", "a?b=c", "a#b", "\0", "é" * 100,
             "x" * 5000, '"><script>', "%0d%0ax: y", "a/b:c"]
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        for name in names:
            for dialect, path, body in dialects():
                if dialect == "gemini":
                    continue
                answer = ask(weir.port, path, {**body, "model": name})
                check_error(answer, dialect, 404)
                check("x-evil" not in answer.headers, answer.headers)
        for text in ("a%0d%0ax-evil:%201", "%00", "a%2fb", "%", "%zz", "..%2f..%2fetc"):
            answer = ask(weir.port, f"/v1beta/models/{text}:generateContent", {"contents": []})
            check_error(answer, "gemini", (400, 404))
        equal(upstream.calls, [], "calls at the provider")


SMUGGLED = b"0\r\n\r\nGET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n"
BODY = json.dumps(chat()).encode()
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)


def smuggling():
    size = f"content-length: {len(BODY)}"
    return {
        "both lengths": head(fields=(size, "transfer-encoding: chunked")) + CHUNKED,
        "both, other order": head(fields=("transfer-encoding: chunked", size)) + CHUNKED,
        "two lengths": head(fields=(size, "content-length: 5")) + BODY,
        "list of lengths": head(fields=("content-length: 5, 5",)) + b"12345",
        "negative length": head(fields=("content-length: -1",)) + BODY,
        "signed length": head(fields=("content-length: +5",)) + BODY,
        "hex length": head(fields=("content-length: 0x10",)) + BODY,
        "spaced length": head(fields=("content-length: 1 0",)) + BODY,
        "huge length": head(fields=("content-length: 99999999999999999999",)) + BODY,
        "empty length": head(fields=("content-length:",)) + BODY,
        "space before colon": head(fields=("content-length : 5",)) + BODY,
        "tab before colon": head(fields=("transfer-encoding\t: chunked",)) + CHUNKED,
        "folded": head(fields=("x-a: b", " content-length: 5")) + BODY,
        "xchunked": head(fields=("transfer-encoding: xchunked",)) + CHUNKED,
        "identity": head(fields=("transfer-encoding: identity",)) + CHUNKED,
        "chunked twice": head(fields=("transfer-encoding: chunked, chunked",)) + CHUNKED,
        "two encodings": head(fields=("transfer-encoding: chunked",
                                      "transfer-encoding: chunked")) + CHUNKED,
        "gzip, chunked": head(fields=("transfer-encoding: gzip, chunked",)) + CHUNKED,
        "chunked with a vertical tab": head(fields=("transfer-encoding: \x0bchunked",)) + CHUNKED,
        "quoted": head(fields=('transfer-encoding: "chunked"',)) + CHUNKED,
        "TE in HTTP/1.0": head(fields=("transfer-encoding: chunked",),
                               version="HTTP/1.0") + CHUNKED,
        "bare LF": head(fields=(size,)).replace(b"\r\n", b"\n") + BODY,
        "one bare LF": head(fields=(size, "x-a: b\nx-b: c")) + BODY,
        "bare CR": head(fields=(size, "x-a: b\rx-b: c")) + BODY,
        "NUL in a value": head(fields=(size, "x-a: b\0c")) + BODY,
        "no colon": head(fields=(size, "nonsense")) + BODY,
        "empty name": head(fields=(size, ": x")) + BODY,
        "name with space": head(fields=(size, "x y: z")) + BODY,
        "two hosts": head(fields=(size, "host: other")) + BODY,
        "no host": f"POST /v1/chat/completions HTTP/1.1\r\n{size}\r\n\r\n".encode() + BODY,
        "HTTP/2.0": head(fields=(size,), version="HTTP/2.0") + BODY,
        "HTTP/1.10": head(fields=(size,), version="HTTP/1.10") + BODY,
        "http/1.1": head(fields=(size,), version="http/1.1") + BODY,
        "no version": b"POST /v1/chat/completions\r\n\r\n",
        "two spaces": head(fields=(size,)).replace(b"POST ", b"POST  ", 1) + BODY,
        "space in the target": head("/v1/chat completions", fields=(size,)) + BODY,
        "fragment": head("/v1/chat/completions#x", fields=(size,)) + BODY,
        "relative target": head("v1/chat/completions", fields=(size,)) + BODY,
        "odd method": head(method="PO ST", fields=(size,)) + BODY,
        "half of HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\n",
        "expectation": head(fields=(size, "expect: the impossible")) + BODY,
    }


def bad_chunks():
    start = head(fields=("transfer-encoding: chunked", "content-type: application/json"))
    return {
        "negative size": start + b"-5\r\nhello\r\n0\r\n\r\n",
        "no size": start + b"\r\nhello\r\n0\r\n\r\n",
        "0x size": start + b"0x5\r\nhello\r\n0\r\n\r\n",
        "huge size": start + b"ffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "spaced size": start + b"5 \r\nhello\r\n0\r\n\r\n",
        "extension": start + b"5;a=b\r\nhello\r\n0\r\n\r\n",
        "long extension": start + b"5;" + b"a" * 100_000 + b"\r\nhello\r\n0\r\n\r\n",
        "LF after size": start + b"5\nhello\r\n0\r\n\r\n",
        "too short": start + b"3\r\nhello\r\n0\r\n\r\n",
        "no end of data": start + b"5\r\nhelloX\r\n0\r\n\r\n",
        "bad trailer": start + b"5\r\nhello\r\n0\r\nbad trailer\r\n\r\n",
    }


@test
def smuggling_forms_are_refused_and_end_the_connection():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        for name, data in {**smuggling(), **bad_chunks()}.items():
            answers = exchange(weir, data + SMUGGLED)
            equal(len(answers), 1, f"{name}: answers on the connection")
            status, headers, body = answers[0]
            check(400 <= status < 600 and status not in (401, 404), f"{name}: {status} {body}")
            check(headers.get("connection", "").lower() == "close", f"{name}: {headers}")
            check(json.loads(body)["error"]["message"], f"{name}: {body}")
        equal(upstream.calls, [], "nothing may reach the provider")
        equal(ask_chat(weir).status, 200, "afterwards")
        faults = {name for name, value in weir.metrics().items()
                  if name.startswith("weir_http_head_faults_total{") and value > 0}
        check(len(faults) >= 8, f"kinds of faults counted: {faults}")


@test
def a_request_of_the_old_kind_behind_the_preface_of_http2_is_none():
    """HTTP/2 begins with the preface, and then the bytes are its frames or the end."""
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        with raw(weir.port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SMUGGLED + BODY) as connection:
            said = b""
            while more := connection.recv(65536):
                said += more
        check(b"HTTP/1.1" not in said, f"answered as HTTP/1.1: {said}")
        equal(said[3], 4, "the first frame is SETTINGS")
        equal(upstream.calls, [], "nothing may reach the provider")
        equal(ask_chat(weir).status, 200, "afterwards")


@test
def protocol_errors_have_the_dialect_of_the_path():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        for dialect, path, _ in dialects():
            for fields in (("content-length: -1",), ("content-length: 5", "content-length: 6"),
                           ("transfer-encoding: gzip",), tuple(f"x-{n}: y" for n in range(500))):
                answers = exchange(weir, head(path, fields))
                equal(len(answers), 1, f"{dialect} {fields[:2]}")
                check_error(Answered(answers[0]), dialect)


@test
def pipelined_requests_are_answered_in_order():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        wanted = [chat(), chat("nowhere"), chat(stream=True), chat()] * 5
        with raw(weir.port, b"".join(request(body) for body in wanted)) as connection:
            answers = read_answers(connection, len(wanted))
        equal([answer[0] for answer in answers], [200, 404, 200, 200] * 5, "statuses in order")
        kinds = [answer[1]["content-type"].split(";")[0] for answer in answers[:4]]
        equal(kinds, ["application/json", "application/json", "text/event-stream",
                      "application/json"], "kinds in order")


@test
def a_head_in_single_bytes_and_a_body_in_chunks():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        with raw(weir.port, b"") as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in request(chat()):
                connection.sendall(bytes([byte]))
            equal(read_answers(connection, 1)[0][0], 200, "byte by byte")
        with raw(weir.port, head(fields=("transfer-encoding: chunked",))) as connection:
            for byte in BODY:
                connection.sendall(b"1\r\n%c\r\n" % byte)
            connection.sendall(b"0\r\nx-trailer: 1\r\n\r\n")
            equal(read_answers(connection, 1)[0][0], 200, "chunk by chunk")
        with raw(weir.port, head(fields=(f"content-length: {len(BODY)}",
                                         "expect: 100-continue"))) as connection:
            check(connection.recv(100).startswith(b"HTTP/1.1 100 "), "100 Continue")
            connection.sendall(BODY)
            equal(read_answers(connection, 1)[0][0], 200, "after 100 Continue")


@test
def http_1_0_is_answered_and_closed():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        for body in (chat(), chat(stream=True)):
            data = json.dumps(body).encode()
            with raw(weir.port, head(fields=(f"content-length: {len(data)}",),
                                     version="HTTP/1.0") + data) as connection:
                text = b""
                while piece := connection.recv(65536):
                    text += piece
            first, _, rest = text.partition(b"\r\n\r\n")
            check(b" 200 " in first.splitlines()[0], first)
            check(b"transfer-encoding" not in first.lower(), "chunks for HTTP/1.0")
            check(b"Hello" in rest, rest)
        with raw(weir.port, b"GET /healthz HTTP/1.0\r\n\r\n") as connection:
            equal(read_answers(connection)[0][0], 200, "/healthz without Host")


@test
def noise_ends_connections_and_nothing_else():
    noise = [b"", b"\0", b"\r\n" * 10_000, b"\xff" * 100_000, b"\x16\x03\x01\x02\x00\x01\x00\x01",
             b"GET", b"GET / HTTP/1.1", b"SSH-2.0-OpenSSH_9.2\r\n", bytes(range(256)) * 500,
             b"GET / HTTP/1.1\r\n" * 1000, b" " * 100_000, b"POST /v1/chat/completions HTTP/1.1\r\n"
             b"host: x\r\ncontent-length: 5\r\n\r\n12345" * 3]
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        for data in noise * 3:
            with raw(weir.port, b"") as connection:
                try:
                    connection.sendall(data)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
                except OSError:
                    pass
        equal(upstream.calls, [], "calls at the provider")
        equal(ask_chat(weir).status, 200, "afterwards")
        eventually(lambda: weir.metrics()["weir_http_connections_open"] <= 1,
                   "no connection is left over")


@test
def answers_of_a_provider_that_are_no_answers():
    answers = {
        "garbage": b"\xff\xfe garbage\r\n\r\n", "no length and no end": b"HTTP/1.1 200 OK\r\n",
        "both lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n"
                        b"\r\n5\r\nhello\r\n0\r\n\r\n",
        "bad status": b"HTTP/1.1 999999 X\r\ncontent-length: 0\r\n\r\n",
        "short": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                 b"content-length: 500\r\n\r\n{",
        "no JSON": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                   b"content-length: 5\r\n\r\nhello",
        "bad chunk": b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                     b"transfer-encoding: chunked\r\n\r\nzz\r\n",
        "redirect": b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n"
                    b"content-length: 0\r\n\r\n",
        "head without end": b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 200_000,
        "nothing": b"",
    }
    with Upstream() as upstream:
        for name, data in answers.items():
            def script(call, data=data):
                call.handler.wfile.write(data)
                call.cut()
            upstream.on("quick", script)
            made = config(upstream, defaults={"retries": {"attempts": 1}})
            with Weir(made) as weir:
                for dialect, path, body in dialects():
                    try:
                        answer = ask(weir.port, path, body)
                    except (http.client.IncompleteRead, ConnectionError):
                        continue  # begun and then cut: no client takes that for an answer
                    if name == "no JSON" and dialect == "openai":
                        continue  # passed through as it is: the client's parser tells
                    check_error(answer, dialect, (502, 503, 500, 529))


if __name__ == "__main__":
    main()
