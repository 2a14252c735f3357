#!/usr/bin/env python3
"""What one call leaves for a later one: ids come back to their account, on every worker and after a
restart; responses that Weir keeps are continued; batches are priced once."""

import itertools
import json

from harness import (CLIENT_KEY, Weir, ask, check, config, equal, eventually, main, test)
from upstream import Upstream

OTHER_KEY = "wk-system-other-7c1d90aa42"
ROUNDS = 24  # enough for both workers and both accounts to have been met


def two_accounts(east, west):
    made = config(east, prices=[])
    made["accounts"] = [
        {"name": name, "provider": "openai_compatible", "api_key": "sk-" + name,
         "endpoint": f"{upstream.url}/v1"} for name, upstream in (("east", east), ("west", west))]
    made["models"] = [{"name": "m", "deployments": [{"account": "east"}, {"account": "west"}]}]
    made["keys"] = [{"name": "client", "key": CLIENT_KEY}, {"name": "other", "key": OTHER_KEY}]
    return made


def files_of(name, upstream):
    """A provider that knows only the files that were uploaded to it."""
    numbers = itertools.count()
    known = set()

    def upload(call):
        number = f"file-{name}{next(numbers)}"
        known.add(number)
        upstream.on(f"/v1/files/{number}", lambda one: one.answer(
            body={"id": number, "object": "file", "filename": name}))
        call.answer(body={"id": number, "object": "file", "filename": name})

    upstream.on("/v1/files", upload)


def upload(weir):
    return ask(weir.port, "/v1/files", b"--b--", headers={
        "content-type": "multipart/form-data; boundary=b"}).json()["id"]


@test
def an_id_comes_back_to_its_account_on_every_worker_and_after_a_restart():
    with Upstream() as east, Upstream() as west:
        files_of("east", east)
        files_of("west", west)
        with Weir(two_accounts(east, west)) as weir:
            uploaded = [upload(weir) for _ in range(ROUNDS)]
            check(any("east" in one for one in uploaded) and any("west" in one for one in uploaded),
                  "both accounts were met")

            def all_found():
                for one in uploaded:
                    answer = ask(weir.port, f"/v1/files/{one}", method="GET")
                    equal(answer.status, 200, f"{one}: {answer}")
                    check(answer.json()["filename"] in one, answer)
            for _ in range(3):
                all_found()
            check(weir.metrics()["weir_pins_followed_total"] >= 3 * ROUNDS, "pins are counted")
            weir.restart()
            all_found()
            # An account that is gone is told, and no other one is asked.
            changed = two_accounts(east, west)
            changed["accounts"] = changed["accounts"][:1]
            changed["models"][0]["deployments"] = [{"account": "east"}]
            weir.write(changed)
            lost = next(one for one in uploaded if "west" in one)
            eventually(lambda: ask(weir.port, f"/v1/files/{lost}", method="GET").status == 404,
                       "the change was taken up")
            equal(ask(weir.port, f"/v1/files/{lost}", method="GET").json()["error"]["code"],
                  "pinned_account_gone", "code")


@test
def a_killed_server_loses_next_to_nothing_of_what_it_knew():
    with Upstream() as east, Upstream() as west:
        files_of("east", east)
        files_of("west", west)
        with Weir(two_accounts(east, west)) as weir:
            uploaded = [upload(weir) for _ in range(ROUNDS)]
            # One more, and it is on disk: what came before it is, too.
            eventually(lambda: weir.databases("state") and _pins(weir) >= ROUNDS, "pins on disk")
            weir.kill()
            weir.start()
            for one in uploaded:
                equal(ask(weir.port, f"/v1/files/{one}", method="GET").status, 200, one)


def _pins(weir):
    import sqlite3
    with sqlite3.connect(f"file:{weir.data}/state.db?mode=ro", uri=True) as connection:
        return connection.execute("SELECT count(*) FROM pin").fetchone()[0]


@test
def a_batch_is_priced_once_whoever_fetches_its_results():
    lines = "\n".join(json.dumps({"custom_id": str(i), "response": {"status_code": 200, "body": {
        "model": "m", "usage": {"prompt_tokens": 100, "completion_tokens": 10,
                                "total_tokens": 110}}}}) for i in range(10))
    with Upstream() as up:
        up.on("/v1/batches", lambda call: call.answer(
            body={"id": "batch_1", "object": "batch", "status": "validating"}))
        up.on("/v1/batches/batch_1", lambda call: call.answer(
            body={"id": "batch_1", "object": "batch", "status": "completed",
                  "output_file_id": "file-out"}))
        up.on("/v1/files/file-out/content", lambda call: call.answer(
            body=lines.encode(), content_type="application/octet-stream"))
        made = config(up, models=("m",))
        made["keys"] = [{"name": "client", "key": CLIENT_KEY}, {"name": "other", "key": OTHER_KEY}]
        made["prices"] = [{"provider": "openai_compatible", "model": "m", "service_tier": "batch",
                           "usd_per_million": {"input": 0.5, "output": 5}}]
        with Weir(made) as weir:
            equal(ask(weir.port, "/v1/batches", {"input_file_id": "file-in"}).status, 200, "made")
            weir.restart()
            ask(weir.port, "/v1/batches/batch_1", method="GET")
            for _ in range(3):
                answer = ask(weir.port, "/v1/files/file-out/content", method="GET", key=OTHER_KEY)
                equal(answer.text(), lines, "the results")

            def settled():
                return [row for row in weir.rows() if row["endpoint"] == "batch"]
            rows = eventually(settled, "the batch is on the ledger")
            equal(len(rows), 1, "rows of the batch")
            equal(rows[0]["key"], "client", "whose it is")
            check(abs(float(rows[0]["cost_usd"]) - (1000 * 0.5 + 100 * 5) / 1e6) < 1e-12, rows[0])


if __name__ == "__main__":
    main()
