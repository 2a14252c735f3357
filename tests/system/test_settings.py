#!/usr/bin/env python3
"""Settings of a running server: where values come from, dry runs, generations, going back."""

import json

from harness import PROVIDER_KEY, Weir, ask_chat, check, config, equal, eventually, main, test
from upstream import Upstream

MANAGED_KEY = "sk-managed-5d1e0c77a9"
VARIABLE = "sk-of-the-environment-77aa01"


def settings(weir):
    answer = weir.admin("GET", "/api/v1/settings")
    equal(answer.status, 200, "settings")
    return {item["path"]: item for item in answer.json()["items"]}


def try_text(weir, text):
    answer = weir.admin("POST", "/api/v1/settings/check", {"text": text})
    equal(answer.status, 200, "check")
    return answer.json()


def generations(weir):
    return weir.admin("GET", "/api/v1/generations").json()["items"]


def rolled_back(weir):
    return weir.admin("GET", "/api/v1/status").json()["rolled_back"]


def found_in(folder, secrets):
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "weir.yaml":
            data = path.read_bytes()
            for secret in secrets:
                if secret.encode() in data:
                    yield f"{secret} in {path.name}"


@test
def what_is_in_force_says_where_it_comes_from_and_no_secret():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        items = settings(weir)
        check(items["server.workers"]["source"].startswith(f"file {weir.file}:"), items)
        equal(items["server.workers"]["value"], 2, "workers")
        equal(items["server.drain"]["source"], "default", "drain")
        key = items["accounts[up].api_key"]
        equal((key["value"], key["secret"]), ("<secret>", True), "the account's key")
        check(PROVIDER_KEY not in json.dumps(items), "a secret is told")


@test
def another_text_is_tried_and_nothing_is_changed_or_told():
    with Upstream() as upstream:
        with Weir(config(upstream), environment={"WEIR_TEST_KEY": VARIABLE}) as weir:
            text = weir.file.read_text()
            equal(try_text(weir, text), {"ok": True, "problems": [], "changes": [],
                                         "truncated": False}, "the same text")
            changed = config(upstream, models=("quick", "fresh"))
            changed["organization"] = {"name": "${WEIR_TEST_KEY}"}
            changed["data_dir"] = str(weir.data)
            told = try_text(weir, json.dumps(changed, indent=1))
            check(told["ok"], told)
            paths = {change["path"] for change in told["changes"]}
            check("models[fresh].name" in paths and "organization.name" in paths, told)
            changed["models"][0]["deployments"][0]["account"] = "${WEIR_TEST_KEY}"
            broken = try_text(weir, json.dumps(changed, indent=1))
            check(not broken["ok"] and all(one["line"] > 0 for one in broken["problems"]), broken)
            check(VARIABLE not in json.dumps([told, broken]), "a variable is told")
            equal(weir.generation(), 1, "generation")
            equal(try_text(weir, "models: []")["ok"], False, "nothing to serve")


@test
def going_back_holds_across_a_restart_until_the_file_is_another():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        first = generations(weir)[0]
        equal((first["why"], first["running"], first["kept"]), ("start", True, True), "first")
        made = weir.admin("POST", "/api/v1/accounts",
                          {"name": "more", "provider": "openai", "api_key": MANAGED_KEY})
        equal(made.status, 201, "an account")
        weir.write(config(upstream, models=("fresh",)))
        eventually(lambda: ask_chat(weir, "fresh").status == 200, "the new model")
        whys = [one["why"] for one in generations(weir)]
        equal(whys, ["the file changed", 'the account "more" was made', "start"], "generations")
        diff = weir.admin("GET", f"/api/v1/generations/{first['id']}/diff?against=running").json()
        check(any(one["path"] == "accounts[more].name" and one["after"] is None
                  for one in diff["changes"]), diff)

        back = weir.admin("POST", f"/api/v1/generations/{first['id']}/rollback")
        equal(back.status, 200, "rollback")
        eventually(lambda: ask_chat(weir, "quick").status == 200, "the old model")
        equal(ask_chat(weir, "fresh").status, 404, "the new one is gone")
        names = [one["name"] for one in weir.admin("GET", "/api/v1/accounts").json()["accounts"]]
        equal(names, ["up"], "the account made since is gone")
        equal(rolled_back(weir)["generation"], first["id"], "status")
        check(any(one["what"] == "rolled_back"
                  for one in weir.admin("GET", "/api/v1/health").json()["problems"]), "health")

        weir.restart()
        equal(rolled_back(weir)["generation"], first["id"], "after a restart")
        equal(ask_chat(weir, "quick").status, 200, "the old model, after a restart")

        weir.write(config(upstream, models=("third",)))
        eventually(lambda: ask_chat(weir, "third").status == 200, "the file counts again")
        equal(rolled_back(weir), None, "status at the end")
        equal(list(found_in(weir.folder, [PROVIDER_KEY, MANAGED_KEY])), [], "secrets on disk")


@test
def a_reload_that_is_asked_for_ends_it_too():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        weir.write(config(upstream, models=("fresh",)))
        eventually(lambda: weir.generation() > 1, "the file is read")
        first = generations(weir)[-1]["id"]
        equal(weir.admin("POST", f"/api/v1/generations/{first}/rollback").status, 200, "rollback")
        check(rolled_back(weir), "rolled back")
        equal(weir.admin("POST", "/api/v1/reload").status, 200, "reload")
        equal(rolled_back(weir), None, "after the reload")
        eventually(lambda: ask_chat(weir, "fresh").status == 200, "the file's model")


if __name__ == "__main__":
    main()
