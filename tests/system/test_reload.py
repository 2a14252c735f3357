#!/usr/bin/env python3
"""Reloads: by signal, by the file, by the admin API; good and bad; with requests in flight."""

import copy
import json
import signal
import subprocess

from harness import (ADMIN_TOKEN, CLIENT_KEY, WEIR, Stream, Weir, ask, ask_chat, check,
                     check_error, config, equal, eventually, main, test, work_folder)
from upstream import Upstream

NEW_KEY = "wk-system-second-81c0d7e4"


def by_signal(weir):
    weir.signal(signal.SIGHUP)


def by_file(_):
    """Writing it was enough: the file is watched."""


def by_admin(weir):
    equal(weir.admin("POST", "/api/v1/reload").status, 200, "reload")


WAYS = [by_signal, by_file, by_admin]


@test
def each_way_brings_new_models_and_keys_and_a_new_generation():
    with Upstream() as upstream:
        for way in WAYS:
            with Weir(config(upstream)) as weir:
                equal(weir.generation(), 1, "first generation")
                check_error(ask_chat(weir, "fresh"), "openai", 404)
                check_error(ask_chat(weir, key=NEW_KEY), "openai", 401)
                changed = config(upstream, models=("quick", "fresh"))
                changed["keys"].append({"name": "second", "key": NEW_KEY})
                weir.write(changed)
                way(weir)
                eventually(lambda: weir.generation() > 1, f"{way.__name__}: a new generation")
                answer = eventually(lambda: (a := ask_chat(weir, "fresh", NEW_KEY)).status == 200
                                    and a, "the new model with the new key")
                check(int(answer.headers["x-weir-config"]) > 1, answer.headers)
                # A worker that has not taken the message yet would answer with the old one.
                eventually(lambda: all(ask_chat(weir, "fresh", NEW_KEY).status == 200
                                       for _ in range(20)), "both workers know it")


@test
def a_key_that_is_gone_from_the_file_is_refused():
    with Upstream() as upstream:
        both = config(upstream)
        both["keys"].append({"name": "second", "key": NEW_KEY})
        with Weir(both) as weir:
            equal(ask_chat(weir, key=NEW_KEY).status, 200, "before")
            weir.write(config(upstream))
            by_admin(weir)
            eventually(lambda: all(ask_chat(weir, key=NEW_KEY).status == 401 for _ in range(20)),
                       "the removed key is refused")
            equal(ask_chat(weir).status, 200, "the other key")


@test
def a_bad_file_changes_nothing_and_every_problem_is_told():
    with Upstream() as upstream:
        for way in WAYS:
            with Weir(config(upstream), errors=["reload_failed"]) as weir:
                bad = copy.deepcopy(weir.configuration)
                bad["models"][0]["deployments"][0]["account"] = "upp"
                bad["server"]["drain"] = "soon"
                bad["severs"] = {}
                weir.write(bad)
                if way is by_admin:
                    answer = weir.admin("POST", "/api/v1/reload")
                    equal(answer.status, 400, "status of the reload")
                    told = answer.json()["error"]["message"]
                else:
                    way(weir)
                    told = eventually(lambda: weir.lines("reload_failed"), "reload_failed")
                    told = told[0]["problem"]
                for problem in ("upp", "server.drain", "severs"):
                    check(problem in told, f"{way.__name__}: {problem} is missing in: {told}")
                for number in range(20):
                    answer = ask_chat(weir)
                    equal(answer.status, 200, f"request {number} after the bad reload")
                    equal(answer.headers["x-weir-config"], "1", "generation")
                weir.write(config(upstream, models=("quick", "fresh")))
                eventually(lambda: ask_chat(weir, "fresh").status == 200, "the repaired file")


@test
def a_file_that_is_no_yaml_or_missing_changes_nothing():
    with Upstream() as upstream, Weir(config(upstream), errors=["reload_failed"]) as weir:
        for text in ("{", "", "\0\xff", "models: [" * 1000):
            weir.write(text)
            equal(weir.admin("POST", "/api/v1/reload").status, 400, f"reload of {text[:20]!r}")
        weir.file.unlink()
        equal(weir.admin("POST", "/api/v1/reload").status, 400, "reload without a file")
        equal(weir.generation(), 1, "generation")
        equal(ask_chat(weir).status, 200, "a request")


@test
def a_request_in_flight_keeps_its_snapshot():
    with Upstream() as upstream:
        gate = upstream.gate("slow")
        with Weir(config(upstream, models=("quick", "slow"))) as weir:
            stream = Stream(weir.port, {"model": "slow", "stream": True, "messages": [
                {"role": "user", "content": "Hello"}]})
            check("first" in stream.next(), "the first delta")
            # Model, account and key of the request all go.
            other = config(upstream)
            other["accounts"][0]["name"] = "other"
            other["models"][0]["deployments"][0]["account"] = "other"
            other["keys"] = [{"name": "second", "key": NEW_KEY}]
            weir.write(other)
            by_admin(weir)
            eventually(lambda: all(ask_chat(weir, key=NEW_KEY).status == 200 and
                                   ask_chat(weir).status == 401 for _ in range(10)),
                       "the new configuration")
            gate.open()
            rest = stream.rest()
            equal(rest[-1], "[DONE]", "the end of the stream")
            check(any("second" in event for event in rest), "the second delta")
            row = weir.row(stream.id)
            equal((row["config_generation"], row["model"], row["key"], row["account"],
                   row["outcome"]), (1, "slow", "client", "up", "ok"), "the row")


@test
def many_reloads_under_load_drop_no_request():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        for number in range(30):
            changed = config(upstream, models=("quick", f"m{number}"))
            weir.write(changed)
            by_admin(weir)
            for _ in range(3):
                equal(ask_chat(weir).status, 200, f"a request after reload {number}")
        check(weir.generation() >= 31, weir.generation())


@test
def a_provider_key_that_was_refused_is_replaced_by_a_reload():
    """The new key is used at once and not held back by what parked the old one."""
    with Upstream() as upstream:
        def only_new(call):
            if call.token() == "sk-new-provider-key-1234":
                call.answer(body={"id": "c", "object": "chat.completion", "created": 1,
                                  "model": "quick", "choices": [{
                                      "index": 0, "finish_reason": "stop",
                                      "message": {"role": "assistant", "content": "x"}}]})
            else:
                call.answer(401, {"error": {"message": "bad key", "type": "invalid_request_error",
                                            "code": "invalid_api_key", "param": None}})
        upstream.on("quick", only_new)
        with Weir(config(upstream)) as weir:
            check_error(ask_chat(weir), "openai", 503)
            models = weir.admin("GET", "/api/v1/models").json()["models"]
            equal(models[0]["deployments"][0]["parked_by"], "credential", "parked by")
            changed = copy.deepcopy(weir.configuration)
            changed["accounts"][0]["api_key"] = "sk-new-provider-key-1234"
            weir.write(changed)
            by_admin(weir)
            models = weir.admin("GET", "/api/v1/models").json()["models"]
            equal(models[0]["deployments"][0]["open"], True, "the account with the new key is open")
            eventually(lambda: ask_chat(weir).status == 200, "the new key")


@test
def a_new_admin_token_holds_after_the_reload():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        changed = config(upstream, admin={"token": "another-admin-token-5566"})
        weir.write(changed)
        by_admin(weir)
        equal(weir.admin("GET", "/api/v1/status", token=ADMIN_TOKEN).status, 401, "the old token")
        equal(weir.admin("GET", "/api/v1/status", token="another-admin-token-5566").status, 200,
              "the new token")


@test
def what_needs_a_restart_is_said():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        before = weir.port
        weir.write(config(upstream, server={"workers": 1}))
        by_admin(weir)
        warned = eventually(lambda: weir.lines("reload_needs_restart"), "the warning")
        check("server.workers" in json.dumps(warned[0]), warned)
        equal(ask(before, "/healthz", method="GET", key=CLIENT_KEY).status, 200, "still serving")


@test
def the_log_goes_to_its_file_and_is_reopened():
    with Upstream() as upstream:
        folder = work_folder()
        path = folder / "own.log"
        wanted = config(upstream, log={"file": str(path)})
        wanted["data_dir"] = str(folder / "data")
        (folder / "weir.yaml").write_text(json.dumps(wanted))
        process = subprocess.Popen([WEIR, "serve", "-q", "-c", str(folder / "weir.yaml")],
                                   stderr=subprocess.PIPE)
        try:
            eventually(lambda: path.exists() and "started" in path.read_text(), "the log file", 20)
            path.rename(folder / "rotated.log")
            process.send_signal(signal.SIGHUP)
            eventually(lambda: path.exists() and "reloaded" in path.read_text(), "the new log file")
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(60)
        equal(code, 0, "exit code")
        equal(process.stderr.read(), b"", "standard error")


if __name__ == "__main__":
    main()
