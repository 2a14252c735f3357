#!/usr/bin/env python3
"""The end of the process: SIGTERM, twice, and the limit of the drain."""

import http.client
import json
import signal
import socket

from harness import (Cut, Failure, Stream, Weir, ask_chat, chat, check, command, config, connect,
                     equal, eventually, main, query, send, test, work_folder)
from upstream import Upstream


def refused(port):
    try:
        connection = socket.create_connection(("127.0.0.1", port), timeout=5)
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    connection.close()
    return False


def row_in_file(weir, request_id):
    """The row after the end of the process, by its request id's time order: there is only one."""
    rows = [row for path in weir.databases()
            for row in query(path, "SELECT outcome, status, model FROM request ORDER BY id")]
    check(rows, f"no row of {request_id}")
    return rows


@test
def a_running_stream_ends_well_and_new_connections_are_refused():
    with Upstream() as upstream:
        gate = upstream.gate("slow")
        with Weir(config(upstream, models=("quick", "slow"))) as weir:
            equal(ask_chat(weir).status, 200, "before")
            idle = connect(weir.port)
            send(idle, "/v1/chat/completions", chat()).read()
            stream = Stream(weir.port, chat("slow", stream=True))
            check("first" in stream.next(), "the first delta")
            weir.signal(signal.SIGTERM)
            eventually(lambda: weir.lines("draining"), "draining")
            eventually(lambda: refused(weir.port), "new connections are refused")
            # The idle connection is closed, or says no: never an answer cut in the middle.
            try:
                answer = send(idle, "/v1/chat/completions", chat())
                check(answer.status in (200, 503), f"idle connection: {answer.status}")
            except (ConnectionError, http.client.HTTPException):
                pass
            check(weir.running(), "it still runs for the stream")
            gate.open()
            rest = stream.rest()
            equal(rest[-1], "[DONE]", "the end of the stream")
            equal(weir.wait(), 0, "exit code")
            rows = row_in_file(weir, stream.id)
            check((0, 200, "slow") in rows, f"the stream's row: {rows}")


@test
def sigint_drains_like_sigterm():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        equal(ask_chat(weir).status, 200, "before")
        weir.signal(signal.SIGINT)
        equal(weir.wait(), 0, "exit code")
        check(weir.lines("draining") and weir.lines("stopped"), "what the log says")


@test
def a_second_sigterm_stops_at_once():
    with Upstream() as upstream:
        upstream.gate("slow")
        with Weir(config(upstream, models=("quick", "slow"), server={"drain": "10m"})) as weir:
            stream = Stream(weir.port, chat("slow", stream=True))
            stream.next()
            weir.signal(signal.SIGTERM)
            eventually(lambda: weir.lines("draining"), "draining")
            check(weir.running(), "still draining")
            weir.signal(signal.SIGTERM)
            equal(weir.wait(30), 0, "exit code")
            check(weir.lines("stopped_at_once"), "what the log says")
            check_cut(stream)
            rows = row_in_file(weir, stream.id)
            equal([row[2] for row in rows], ["slow"], "the cut stream's row")


def check_cut(stream):
    """The client must not be able to take the cut stream for a whole one."""
    try:
        rest = stream.rest()
    except (Cut, ConnectionError):
        return
    raise Failure(f"the end of a cut stream was orderly: {rest}")


@test
def the_drain_has_a_limit():
    with Upstream() as upstream:
        upstream.gate("slow")
        with Weir(config(upstream, models=("quick", "slow"), server={"drain": "500ms"})) as weir:
            stream = Stream(weir.port, chat("slow", stream=True))
            stream.next()
            weir.signal(signal.SIGTERM)
            equal(weir.wait(30), 0, "exit code")
            check_cut(stream)
            rows = row_in_file(weir, stream.id)
            equal([row[2] for row in rows], ["slow"], "the cut stream's row")


@test
def every_row_is_written_before_the_exit():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        for _ in range(200):
            equal(ask_chat(weir).status, 200, "a request")
        equal(weir.stop(), 0, "exit code")
        total = sum(query(path, "SELECT count(*) FROM request")[0][0]
                    for path in weir.databases())
        equal(total, 200, "rows")
        for path in weir.databases():
            check(not path.with_name(path.name + "-wal").exists(), "the log is checkpointed")


@test
def a_drain_with_idle_connections_only_is_quick():
    with Upstream() as upstream, Weir(config(upstream, server={"drain": "1h"})) as weir:
        idle = [connect(weir.port) for _ in range(50)]
        for connection in idle:
            send(connection, "/v1/chat/completions", chat()).read()
        silent = [socket.create_connection(("127.0.0.1", weir.port)) for _ in range(50)]
        equal(weir.stop(), 0, "exit code")  # well below an hour
        for connection in silent:
            connection.close()


@test
def a_start_that_fails_says_why_and_ends_with_1():
    folder = work_folder()
    with socket.socket() as taken, Upstream() as upstream:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        cases = {
            "port taken": (config(upstream, server={"listen": f"127.0.0.1:{port}"}), str(port)),
            "admin port taken": (config(upstream, admin={"listen": f"127.0.0.1:{port}"}),
                                 str(port)),
            "admin without token": (config(upstream, admin={"listen": "0.0.0.0:0", "token": ""}),
                                    "admin.token"),
            "no such certificate": (config(upstream, server={"tls": {
                "certificate": str(folder / "none.pem"), "key": str(folder / "none.key")}}),
                "none.pem"),
            "data_dir is a file": ({**config(upstream), "data_dir": str(folder / "weir.yaml")},
                                   "weir.yaml"),
            "log.file in no folder": (config(upstream, log={"file": str(folder / "no" / "log")}),
                                      "log"),
        }
        for name, (made, word) in cases.items():
            made = {"data_dir": str(folder / "data"), **made}
            (folder / "weir.yaml").write_text(json.dumps(made))
            done = command("serve", "-q", "-c", str(folder / "weir.yaml"))
            equal(done.returncode, 1, f"{name}: exit code ({done.stderr})")
            check(word in done.stderr, f"{name}: {word} is missing in: {done.stderr}")
        done = command("serve", "-q", "-c", str(folder / "nowhere.yaml"))
        equal(done.returncode, 1, "no file: exit code")
        check("nowhere.yaml" in done.stderr, f"no file: {done.stderr}")


@test
def a_second_server_with_the_same_data_dir_does_not_start():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        other = {**config(upstream), "data_dir": str(weir.data)}
        path = weir.folder / "other.yaml"
        path.write_text(json.dumps(other))
        done = command("serve", "-q", "-c", str(path))
        equal(done.returncode, 1, "exit code of the second")
        check("data_dir" in done.stderr and str(weir.data) in done.stderr, done.stderr)
        equal(ask_chat(weir).status, 200, "the first one")
        weir.kill()
        weir.start()  # the lock went with the process
        equal(ask_chat(weir).status, 200, "after the restart")


if __name__ == "__main__":
    main()
