#!/usr/bin/env python3
"""kill -9 under load, again and again: the ledger opens, is whole and has lost next to nothing."""

import http.client
import threading
import time

from harness import Weir, ask_chat, chat, check, config, connect, equal, main, query, send, test
from upstream import Upstream

ROUNDS = 20
CLIENTS = 4
# The writer commits 200 ms after a row came; what is older than this must have survived.
AGE_SECONDS_MAX = 1.0


class Load:
    """Clients that ask as fast as they can and note when each answer came."""

    def __init__(self, weir):
        self.answers = []  # (id, monotonic seconds)
        self.problems = []
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=(weir, number % 2 == 1))
                        for number in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def _ask(self, weir, stream):
        try:
            connection = connect(weir.port)
            while not self.stopped.is_set():
                response = send(connection, "/v1/chat/completions", chat(stream=stream))
                response.read()
                if response.status != 200:
                    self.problems.append(response.status)
                self.answers.append((response.getheader("x-weir-request-id"), time.monotonic()))
        except (OSError, http.client.HTTPException):
            pass  # the process was killed: that is the test

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


class Stalls:
    """How long this machine kept a ready thread waiting: a writer may have waited as long."""

    def __init__(self):
        self.longest = 0.0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()

    def _watch(self):
        while not self.stopped.is_set():
            before = time.monotonic()
            self.stopped.wait(0.02)
            self.longest = max(self.longest, time.monotonic() - before - 0.02)

    def stop(self):
        self.stopped.set()
        self.thread.join()
        return self.longest


def crockford(number):
    """A request id as the ledger's API writes it."""
    letters = "0123456789abcdefghjkmnpqrstvwxyz"
    text = ""
    for _ in range(13):
        text = letters[number & 31] + text
        number >>= 5
    return "req_" + text


def ids_in(databases):
    return {crockford(row[0]) for path in databases
            for row in query(path, "SELECT id FROM request")}


@test
def twenty_kills_under_load():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        reported_before = 0
        for number in range(ROUNDS):
            stalls = Stalls()
            load = Load(weir)
            end = time.monotonic() + AGE_SECONDS_MAX + 0.4
            while time.monotonic() < end:
                time.sleep(0.02)
            reported = weir.admin("GET", "/api/v1/status").json()["ledger"]
            killed_at = time.monotonic()
            weir.kill()
            load.stop()
            bound = AGE_SECONDS_MAX + 2 * stalls.stop()
            equal(load.problems, [], f"round {number}: answers that were not 200")
            check(len(load.answers) >= 20, f"round {number}: only {len(load.answers)} answers")

            weir.start()
            for path in weir.databases():
                equal(query(path, "PRAGMA integrity_check"), [("ok",)], f"round {number}: {path}")
            kept = ids_in(weir.databases())
            lost = [at for request_id, at in load.answers if request_id not in kept]
            oldest = max((killed_at - at for at in lost), default=0.0)
            check(oldest <= bound, f"round {number}: a row {oldest:.2f} s old was lost, of "
                                   f"{len(lost)} lost ones (bound {bound:.2f} s)")
            # What the servers said was written is there, whatever the clock says.
            reported_before += reported["rows_written"]
            check(len(kept) >= reported_before, f"round {number}: {len(kept)} rows, and "
                                                f"{reported_before} were reported")
            equal((reported["ok"], reported["rows_dropped"]), (True, 0), f"round {number}: health")
            equal(ask_chat(weir).status, 200, f"round {number}: the restarted server")
        # Rows and their sums were written in one transaction each: they agree after all of it.
        weir.stop()
        for path in weir.databases():
            rows = query(path, "SELECT count(*), sum(input), sum(cost_nano) FROM request")
            sums = query(path, "SELECT sum(requests), sum(input_tokens), sum(cost_nano) "
                               "FROM rollup")
            equal(rows, sums, "rows and their sums")


@test
def a_database_that_is_cut_or_overwritten_does_not_stop_the_service():
    with Upstream() as upstream:
        with Weir(config(upstream), errors=["ledger_file_corrupt"]) as weir:
            for _ in range(50):
                equal(ask_chat(weir).status, 200, "a request")
            weir.stop()
            for path in weir.databases():
                path.write_bytes(b"this is no database " * 1000)
            weir.start()
            answer = ask_chat(weir)
            equal(answer.status, 200, "with a damaged file")
            equal(weir.row(answer)["outcome"], "ok", "the row")
            check(weir.lines("ledger_file_corrupt"), "the log tells")
            check(list(weir.data.glob("*.corrupt")), "the damaged file was kept aside")
            equal(weir.admin("GET", "/api/v1/status").json()["ledger"]["ok"], True, "health")


@test
def a_kill_while_keys_are_made_keeps_every_key_that_was_given_out():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        given = []
        def make():
            try:
                for number in range(10_000):
                    answer = weir.admin("POST", "/api/v1/keys", {"name": f"k{len(given)}-{number}"})
                    if answer.status == 201:
                        given.append(answer.json()["key"])
            except (OSError, http.client.HTTPException):
                pass
        for _ in range(3):
            before = len(given)
            maker = threading.Thread(target=make)
            maker.start()
            while len(given) < before + 5:
                time.sleep(0.01)
            weir.kill()
            maker.join()
            weir.start()
        for key in given:
            equal(ask_chat(weir, key=key).status, 200, "a key that was given out")
        equal(query(weir.data / "meta.db", "PRAGMA integrity_check"), [("ok",)], "integrity")


if __name__ == "__main__":
    main()
