#!/usr/bin/env python3
"""Back-pressure and aborts: a client that does not read, reads slowly or goes away."""

import json
import socket
import struct
import threading
import time

from harness import (CLIENT_KEY, Cut, Stream, Weir, ask_chat, chat, check, config, connect, equal,
                     eventually, main, raw, send, test)
from upstream import INPUT_TOKENS, Upstream

MEGABYTE = 1 << 20
PIECE = "x" * 16_000


class Flood:
    """A provider that streams until it has sent so much or is cut off; it counts what it sent."""

    def __init__(self, total):
        self.total = total
        self.sent = 0
        self.ended = threading.Event()

    def script(self, call):
        try:
            call.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
            call.begin()
            while self.sent < self.total:
                call.delta(PIECE)
                self.sent += len(PIECE)
            call.finish()
        except OSError:
            pass
        finally:
            self.ended.set()

    def at_rest(self):
        """How much was sent, once nothing moves any more."""
        def look():
            before = self.sent
            time.sleep(0.4)
            return self.sent if self.sent == before and before > 0 else 0
        return eventually(look, "the provider's stream comes to rest")


@test
def a_client_that_stops_reading_is_cut_off_and_nothing_piles_up():
    flood = Flood(300 * MEGABYTE)
    with Upstream() as upstream:
        upstream.on("flood", flood.script)
        made = config(upstream, models=("quick", "flood"),
                      server={"timeouts": {"write": "3s"}})
        with Weir(made) as weir:
            equal(ask_chat(weir).status, 200, "before")
            before = weir.memory()
            stream = Stream(weir.port, chat("flood", stream=True), receive_bytes=16_384)
            resting = flood.at_rest()
            check(resting < 30 * MEGABYTE, f"{resting >> 20} MiB were read for a client that "
                                           "reads nothing")
            check(weir.memory() < before + 20 * MEGABYTE,
                  f"{(weir.memory() - before) >> 20} MiB were held")
            equal(ask_chat(weir).status, 200, "another client meanwhile")
            check(flood.ended.wait(60), "the provider's connection was not closed")
            row = weir.row(stream.id)
            equal((row["outcome"], row["cost_state"]), ("aborted", "estimated"), "the row")
            check(row["usage"]["output"] > 0 and row["cost_nano_usd"] > 0, f"usage: {row}")
            equal(weir.metrics()['weir_http_timeouts_total{phase="write"}'], 1, "counted")
            try:
                events = stream.rest()
                check(events[-1] != "[DONE]", "the cut stream looks whole")
            except (Cut, OSError):
                pass
            equal(ask_chat(weir).status, 200, "afterwards")


@test
def a_slow_client_gets_everything_and_the_provider_waits_for_it():
    flood = Flood(24 * MEGABYTE)
    with Upstream() as upstream:
        upstream.on("flood", flood.script)
        with Weir(config(upstream, models=("flood",))) as weir:
            stream = Stream(weir.port, chat("flood", stream=True), receive_bytes=65_536)
            received, ahead, events = 0, 0, 0
            while (event := stream.next()) not in (None, "[DONE]"):
                events += 1
                if len(event) > 1000:
                    received += len(PIECE)
                ahead = max(ahead, flood.sent - received)
                if events % 300 == 0:
                    time.sleep(0.05)  # slow: this is what is tested, and nothing waits for it
            equal(event, "[DONE]", "the end")
            equal(stream.next(), None, "the end of the body")
            equal(received, flood.sent, "all of it arrived")
            check(ahead < 16 * MEGABYTE, f"the provider was {ahead >> 20} MiB ahead")
            equal(weir.row(stream.id)["outcome"], "ok", "the row")


@test
def many_clients_that_read_nothing_are_bounded_together():
    floods = [Flood(50 * MEGABYTE) for _ in range(30)]
    free = list(floods)
    with Upstream() as upstream:
        upstream.on("flood", lambda call: free.pop().script(call))
        made = config(upstream, models=("quick", "flood"), server={"timeouts": {"write": "4s"}})
        with Weir(made) as weir:
            equal(ask_chat(weir).status, 200, "before")
            before = weir.memory()
            streams = [Stream(weir.port, chat("flood", stream=True), receive_bytes=16_384)
                       for _ in floods]
            def all_sent():
                return sum(flood.sent for flood in floods)
            def at_rest():
                before = all_sent()
                time.sleep(0.5)
                return before > 0 and all_sent() == before
            eventually(at_rest, "all streams come to rest")
            grown = weir.memory() - before
            check(grown < 60 * MEGABYTE, f"{grown >> 20} MiB for {len(floods)} silent clients")
            for flood in floods:
                check(flood.ended.wait(60), "a provider's connection was not closed")
            for stream in streams:
                equal(weir.row(stream.id)["outcome"], "aborted", "a row")
                stream.close()
            eventually(lambda: weir.metrics()["weir_requests_running"] == 0, "none runs")


def watched(upstream, model):
    """A script that sends one delta and then waits for Weir to close; (begun, closed)."""
    begun, closed = threading.Event(), threading.Event()
    def script(call):
        if call.json().get("stream"):
            call.begin()
            call.delta("four score and seven years ago")
        begun.set()
        if call.closed_by_peer():
            closed.set()
    upstream.on(model, script)
    return begun, closed


def reset(connection):
    """Closes so that the other side sees a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@test
def an_abort_reaches_the_provider_and_the_ledger():
    with Upstream() as upstream, Weir(config(upstream, models=("quick", "held"))) as weir:
        for way in ("close", "reset"):
            begun, closed = watched(upstream, "held")
            stream = Stream(weir.port, chat("held", "a question of some length", stream=True))
            check("score" in stream.next(), "the first delta")
            if way == "reset":
                stream.file.close()
                reset(stream.socket)
            else:
                stream.close()
            check(closed.wait(60), f"{way}: the provider's connection stays open")
            row = weir.row(stream.id)
            equal((row["outcome"], row["cost_state"], row["streamed"]),
                  ("aborted", "estimated", True), f"{way}: the row")
            # 30 bytes were generated: between four and ten tokens by any estimate.
            check(0 < row["usage"]["input"] < 100 and 4 <= row["usage"]["output"] <= 10,
                  f"{way}: usage {row['usage']}")
            check(row["cost_nano_usd"] > 0, f"{way}: cost {row['cost_usd']}")
        equal(weir.metrics()["weir_client_aborts_total"], 2, "aborts counted")


@test
def an_abort_before_the_first_byte_reaches_the_provider():
    with Upstream() as upstream, Weir(config(upstream, models=("quick", "held"))) as weir:
        begun, closed = watched(upstream, "held")
        body = json.dumps(chat("held")).encode()
        connection = raw(weir.port, b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
                         b"authorization: Bearer %s\r\ncontent-length: %d\r\n\r\n%s"
                         % (CLIENT_KEY.encode(), len(body), body))
        check(begun.wait(60), "the request at the provider")
        connection.close()
        check(closed.wait(60), "the provider's connection stays open")
        def aborted():
            rows = [row for row in weir.rows() if row["model"] == "held"]
            return rows and rows[0]
        row = eventually(aborted, "the row")
        equal((row["outcome"], row["cost_state"]), ("aborted", "estimated"), "the row")
        check(row["usage"]["input"] > 0, f"usage: {row['usage']}")


@test
def an_abort_while_the_body_comes_costs_nothing():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        connection = raw(weir.port, b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
                         b"authorization: Bearer %s\r\ncontent-length: 1000\r\n\r\n{"
                         % CLIENT_KEY.encode())
        connection.close()
        row = eventually(lambda: (rows := weir.rows()) and rows[0], "the row")
        equal((row["outcome"], row["cost_nano_usd"], row["usage"]["input"]), ("aborted", 0, 0),
              "the row")
        equal(upstream.calls, [], "calls at the provider")


@test
def after_many_aborts_nothing_is_left_over():
    with Upstream() as upstream, Weir(config(upstream, models=("quick", "held"))) as weir:
        begun, closed = watched(upstream, "held")
        streams = [Stream(weir.port, chat("held", stream=True)) for _ in range(100)]
        for number, stream in enumerate(streams):
            stream.next()
            stream.close()
        def idle():
            metrics = weir.metrics()
            return (metrics["weir_requests_running"] == 0 and
                    metrics["weir_http_connections_open"] <= 1 and
                    metrics["weir_body_bytes_held"] == 0 and
                    metrics['weir_deployment_in_flight{model="held",deployment="up/held"}'] == 0)
        eventually(idle, "everything is given back")
        eventually(lambda: len(weir.rows(model="held")) == 100, "a row for each")
        equal({row["outcome"] for row in weir.rows(model="held")}, {"aborted"}, "outcomes")
        # Clients that leave say nothing about the deployment.
        models = weir.admin("GET", "/api/v1/models").json()["models"]
        check(all(deployment["open"] for model in models for deployment in model["deployments"]),
              "a deployment was parked by its clients' aborts")


@test
def a_kept_connection_serves_on_after_another_was_aborted():
    with Upstream() as upstream, Weir(config(upstream, models=("quick", "held"))) as weir:
        kept = connect(weir.port)
        for _ in range(5):
            watched(upstream, "held")
            stream = Stream(weir.port, chat("held", stream=True))
            stream.next()
            stream.close()
            response = send(kept, "/v1/chat/completions", chat())
            equal((response.status, json.loads(response.read())["usage"]["prompt_tokens"]),
                  (200, INPUT_TOKENS), "the kept connection")


if __name__ == "__main__":
    main()
