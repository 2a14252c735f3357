#!/usr/bin/env python3
"""Too much and too slow: bodies and heads without measure, uploads, clients that drip."""

import socket
import threading
import time

from harness import (Weir, ask, ask_chat, check, check_error, config, dialects, equal, eventually,
                     main, raw, test)
from upstream import Upstream
from wire import MEGABYTE, Answered, exchange, head, pour, read_answers


@test
def heads_without_measure_are_refused_early():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        many = head(fields=tuple(f"x-{number}: y" for number in range(10_000)))
        equal([a[0] for a in exchange(weir, many)], [431], "10,000 headers")
        equal([a[0] for a in exchange(weir, head(fields=("x: " + "y" * 100_000,)))], [431],
              "a header of 100 kB")
        equal([a[0] for a in exchange(weir, head("/" + "x" * 100_000))][0] in (414, 431), True,
              "a target of 100 kB")
        # Without an end: refused when the limit is reached, and what still comes is not kept.
        before = weir.memory()
        with raw(weir.port, b"POST / HTTP/1.1\r\nx: ") as connection:
            pour(connection, 64 * MEGABYTE, b"y" * 65536)
            check(weir.memory() < before + 10 * MEGABYTE, "the head was kept")
            try:
                equal(read_answers(connection, 1)[0][0], 431, "a header without an end")
            except (OSError, IndexError):
                pass  # the reset overtook the answer: the client sent for longer than it is heard
        equal(ask_chat(weir).status, 200, "afterwards")


@test
def two_hundred_megabytes_are_refused_and_not_held():
    size = 200 * MEGABYTE
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        equal(ask_chat(weir).status, 200, "before")
        before = weir.memory()
        for dialect, path, _ in dialects():
            # Announced: refused by the head alone.
            with raw(weir.port, head(path, (f"content-length: {size}",))) as connection:
                answers = read_answers(connection, 1)
                check_error(Answered(answers[0]), dialect, (400, 413))
            # Not announced: refused when it is too much.
            with raw(weir.port, head(path, ("transfer-encoding: chunked",))) as connection:
                piece = b"%x\r\n%s\r\n" % (MEGABYTE, b"x" * MEGABYTE)
                pour(connection, 220 * len(piece), piece)
                try:
                    answers = read_answers(connection, 1)
                except OSError:
                    answers = []  # the answer was overtaken by the reset: the client sent on
                if answers:
                    check_error(Answered(answers[0]), dialect, (400, 413))
        eventually(lambda: weir.metrics()["weir_body_bytes_held"] == 0, "no body is held")
        eventually(lambda: weir.memory() < before + 150 * MEGABYTE, "memory comes back")
        equal(upstream.count("quick"), 1, "calls at the provider")
        equal(ask_chat(weir).status, 200, "afterwards")


@test
def a_hundred_megabytes_are_accepted_and_streamed_through():
    """A file for /v1/files: Weir holds a window of it and no more."""
    size = 100 * MEGABYTE - 4096
    taken = []
    def count(call):
        taken.append(len(call.body))
        call.answer(body={"id": "file-1", "object": "file"})
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        upstream.on("/v1/files", count)
        before = weir.memory()
        start = (b'--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
                 b'--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n')
        end = b"\r\n--b--\r\n"
        total = len(start) + size + len(end)
        highest = 0
        with raw(weir.port, head("/v1/files", (
                f"content-length: {total}", "content-type: multipart/form-data; boundary=b",
                "x-weir-model: quick")) + start) as connection:
            for _ in range(size // MEGABYTE):
                connection.sendall(b"x" * MEGABYTE)
                highest = max(highest, weir.memory())
            connection.sendall(b"x" * (size % MEGABYTE) + end)
            status, _, body = read_answers(connection, 1)[0]
        equal(status, 200, f"status: {body[:200]}")
        equal(taken, [total], "bytes at the provider")
        check(highest < before + 40 * MEGABYTE, f"{(highest - before) >> 20} MiB were held")


@test
def a_slow_provider_makes_the_upload_wait():
    """Back-pressure on the way in: what the provider does not read is not read from the client."""
    go = threading.Event()
    with Upstream() as upstream:
        server = socket.create_server(("127.0.0.1", 0))
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        made = config(upstream)
        made["accounts"][0]["endpoint"] = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        def provider():
            connection, _ = server.accept()
            file = connection.makefile("rb")
            while file.readline() not in (b"\r\n", b""):
                pass
            go.wait(120)
            left = total
            try:
                while left > 0 and (data := file.read1(MEGABYTE)):
                    left -= len(data)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            except OSError:
                pass
        size = 80 * MEGABYTE
        total = size
        with Weir(made) as weir:
            threading.Thread(target=provider, daemon=True).start()
            before = weir.memory()
            sent = []
            def client():
                with raw(weir.port, head("/v1/files", (
                        f"content-length: {size}", "content-type: application/octet-stream",
                        "x-weir-model: quick"))) as connection:
                    for _ in range(size // MEGABYTE):
                        connection.sendall(b"x" * MEGABYTE)
                        sent.append(MEGABYTE)
                    sent.append(read_answers(connection, 1)[0][0])
            sender = threading.Thread(target=client)
            sender.start()
            # It comes to rest: nothing moves for a while, far below the whole.
            def at_rest():
                count = len(sent)
                time.sleep(0.5)
                return count if len(sent) == count else 0
            stopped = eventually(at_rest, "the upload waits")
            check(stopped < 60, f"{stopped} MiB were taken for a provider that reads nothing")
            check(weir.memory() < before + 40 * MEGABYTE,
                  f"{(weir.memory() - before) >> 20} MiB held")
            go.set()
            sender.join()
            # How it ends depends on whether the rest outlasted Weir's time-outs: 200, an error, or
            # a closed connection. What counts is that it waited and was bounded.
            check(sent, "nothing was taken at all")
        server.close()


@test
def slow_heads_and_bodies_time_out():
    timeouts = {"timeouts": {"head": "300ms", "body": "300ms", "keep_alive": "10m"}}
    with Upstream() as upstream, Weir(config(upstream, server=timeouts)) as weir:
        for name, data in {"head": b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n",
                           "body": head(fields=("content-length: 1000",)) + b'{"model"'}.items():
            with raw(weir.port, data) as connection:
                answers = read_answers(connection)
                equal([answer[0] for answer in answers], [408], f"a silent {name}")
                check_error(Answered(answers[0]), "openai", 408)
            # One that drips is no better than one that is silent.
            with raw(weir.port, data) as connection:
                stop = threading.Event()
                def drip():
                    try:
                        while not stop.wait(0.05):
                            connection.sendall(b"x")
                    except OSError:
                        pass
                dripping = threading.Thread(target=drip)
                dripping.start()
                try:
                    answers = read_answers(connection)
                except OSError:
                    answers = []
                stop.set()
                dripping.join()
                check(answers in ([],) or answers[0][0] == 408, f"a dripping {name}: {answers}")
        metrics = weir.metrics()
        check(metrics['weir_http_timeouts_total{phase="head"}'] >= 2 and
              metrics['weir_http_timeouts_total{phase="body"}'] >= 2, "timeouts are counted")
        check_error(ask(weir.port, "/v1/messages", b"", headers={"content-length": "5"}),
                    "anthropic", (400, 408))


@test
def a_hundred_slow_clients_keep_nobody_waiting():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        slow = [raw(weir.port, b"POST / HTTP/1.1\r\nx: y") for _ in range(50)]
        slow += [raw(weir.port, head(fields=("content-length: 100000",)) + b"{")
                 for _ in range(50)]
        for _ in range(20):
            equal(ask_chat(weir).status, 200, "a request meanwhile")
        for connection in slow:
            connection.close()


if __name__ == "__main__":
    main()
