#!/usr/bin/env python3
"""Jobs of a running server: exports, re-ratings that budgets hear of, reconciliation, imports; and
real calls that an operator makes."""

import csv
import datetime
import io
import json
import subprocess

from harness import WEIR, Weir, ask_chat, check, config, equal, eventually, main, test
from upstream import Upstream

TODAY = datetime.datetime.now(datetime.timezone.utc).date()
FROM = str(TODAY - datetime.timedelta(days=1))
TO = str(TODAY + datetime.timedelta(days=2))


def run_job(weir, kind, **parameters):
    answer = weir.admin("POST", "/api/v1/jobs", {"kind": kind, **parameters})
    equal(answer.status, 202, f"{kind}: {answer.text()}")
    number = answer.json()["id"]

    def over():
        job = weir.admin("GET", f"/api/v1/jobs/{number}").json()
        return job if job["state"] not in ("queued", "running") else None
    return eventually(over, f"the job {kind} is over")


def spend(weir, requests=3):
    last = None
    for _ in range(requests):
        last = ask_chat(weir)
        equal(last.status, 200, "a request")
    weir.row(last)
    eventually(lambda: len(weir.rows()) == requests, "rows")


def spent(weir):
    budgets = weir.admin("GET", "/api/v1/budgets").json()["budgets"]
    return {one["subject"]: float(one["spent_usd"]) for one in budgets}["organization"]


def with_budget(upstream, price):
    organization = {"name": "Acme", "budgets": [{"usd": 100, "per": "total"}]}
    made = config(upstream, organization=organization)
    made["prices"][0]["usd_per_million"] = {"input": price, "output": price}
    return made


@test
def an_export_is_a_file_and_survives_a_restart():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        spend(weir)
        job = run_job(weir, "export", **{"from": FROM, "to": TO, "format": "csv"})
        equal((job["state"], job["done"], job["result"]["rows"]), ("done", 3, 3), job)
        weir.restart()
        again = weir.admin("GET", f"/api/v1/jobs/{job['id']}").json()
        equal(again["state"], "done", "after a restart")
        file = weir.admin("GET", f"/api/v1/jobs/{job['id']}/file")
        equal(file.status, 200, "the file")
        rows = list(csv.DictReader(io.StringIO(file.text())))
        equal(len(rows), 3, "rows of the file")
        equal(len(file.body), job["result"]["bytes"], "bytes")
        none = run_job(weir, "export", **{"from": FROM, "to": TO, "format": "jsonl",
                                          "model": "other"})
        equal(none["result"]["rows"], 0, "rows of another model")
        focus = run_job(weir, "export", **{"from": FROM, "to": TO, "format": "focus-1.4"})
        check(focus["result"]["bytes"] > 0, focus)


@test
def budgets_hear_of_corrections_of_a_job_and_of_the_command():
    with Upstream() as upstream, Weir(with_budget(upstream, 1)) as weir:
        spend(weir)
        before = spent(weir)
        check(before > 0, before)
        weir.write(with_budget(upstream, 3))
        eventually(lambda: weir.generation() > 1, "new prices")
        dry = run_job(weir, "rerate", **{"from": FROM, "to": TO})
        equal((dry["result"]["dry_run"], dry["result"]["rows"]), (True, 3), "dry run")
        equal(spent(weir), before, "after a dry run")
        job = run_job(weir, "rerate", **{"from": FROM, "to": TO, "dry_run": False})
        equal(job["result"]["rows"], 3, job)
        eventually(lambda: abs(spent(weir) - 3 * before) < 1e-9, "three times as much")
        weir.write(with_budget(upstream, 2))
        eventually(lambda: weir.generation() > 2, "other prices")
        subprocess.run([WEIR, "ledger", "rerate", "--from", FROM, "--to", TO, "-c", weir.file],
                       check=True, capture_output=True)
        eventually(lambda: abs(spent(weir) - 2 * before) < 1e-9, "twice as much, by the command")
        weir.restart()
        check(abs(spent(weir) - 2 * before) < 1e-9, "after a restart")


@test
def a_statement_is_laid_beside_the_ledger_and_kept():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        spend(weir)
        day = int(datetime.datetime(TODAY.year, TODAY.month, TODAY.day,
                                    tzinfo=datetime.timezone.utc).timestamp())
        statement = {"object": "page", "data": [{
            "object": "bucket", "start_time": day, "end_time": day + 86400,
            "results": [{"amount": {"value": 1.5, "currency": "usd"},
                         "line_item": "gpt-4o, input"}]}]}
        files = [{"name": "costs.json", "text": json.dumps(statement)}]
        job = run_job(weir, "reconcile", source="openai", files=files)
        equal((job["state"], job["result"]["drift"]), ("done", job["result"]["drift"]), job)
        drift = weir.admin("GET", "/api/v1/drift?provider=openai").json()
        equal([one["day"] for one in drift["items"]], [str(TODAY)], drift)
        equal(drift["items"][0]["provider_cost_usd"], "1.50", drift)
        equal(drift["runs"][0]["files"], "costs.json", drift)
        bad = run_job(weir, "reconcile", source="openai", files=[{"name": "x", "text": "{"}])
        equal(bad["state"], "failed", bad)
        equal(len(weir.admin("GET", "/api/v1/drift").json()["runs"]), 1, "a failed run keeps none")


@test
def imported_prices_count_at_once():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        catalogue = json.dumps({"gpt-4o": {"litellm_provider": "openai", "mode": "chat",
                                           "input_cost_per_token": 3.1e-06,
                                           "output_cost_per_token": 1e-05}})
        dry = run_job(weir, "import_prices", source="litellm", text=catalogue)
        equal(dry["result"]["differences"][0]["changes"][0]["after"], "3.10", dry)
        check(not (weir.data / "prices.csv").exists(), "a dry run writes nothing")
        before = weir.generation()
        done = run_job(weir, "import_prices", source="litellm", text=catalogue, dry_run=False)
        equal(done["result"]["rows"], 1, done)
        eventually(lambda: weir.generation() > before, "the server takes them up")
        again = run_job(weir, "import_prices", source="litellm", text=catalogue)
        equal(again["result"]["rows"], 0, "nothing is left to take")


@test
def an_account_is_tried_by_a_real_call_that_is_on_the_ledger():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        told = weir.admin("POST", "/api/v1/accounts/up/test", {"model": "quick"}).json()
        check(told["ok"] and told["status"] == 200, told)
        equal(told["cost_state"], "final", told)
        row = weir.row(told["request"])
        equal((row["key"], row["account"], row["provider_model"], row["cost_usd"]),
              ("weir:probe", "up", "quick", told["cost_usd"]), row)
        # A model that no deployment names has no price here, and is called all the same.
        other = weir.admin("POST", "/api/v1/accounts/up/test", {"model": "unheard-of"}).json()
        equal((other["ok"], other["cost_state"]), (True, "unpriced"), other)
        equal(weir.admin("POST", "/api/v1/accounts/none/test", {"model": "m"}).status, 404, "none")
        equal(ask_chat(weir).status, 200, "traffic goes on")


if __name__ == "__main__":
    main()
