#!/usr/bin/env python3
"""Virtual keys made at run time: by the admin API and by `weir key`, across restarts."""

import json
import subprocess
import threading

from harness import (CLIENT_KEY, WEIR, Weir, ask_chat, check, check_error, command, config, equal,
                     eventually, main, query, test)
from upstream import Upstream


def make(weir, name, **spec):
    answer = weir.admin("POST", "/api/v1/keys", {"name": name, **spec})
    equal(answer.status, 201, f"making the key {name}")
    return answer.json()


def everywhere(weir, key, status, model="quick"):
    """Fresh connections reach both workers; each takes the change by a message of its own."""
    eventually(lambda: all(ask_chat(weir, model, key).status == status for _ in range(12)),
               f"{status} with that key from every worker")


@test
def a_made_key_works_at_once_and_after_a_restart():
    with Upstream() as upstream, Weir(config(upstream, models=("quick", "other"))) as weir:
        made = make(weir, "app", models=["quick"], tags={"env": "test"})
        everywhere(weir, made["key"], 200)
        check_error(ask_chat(weir, "other", made["key"]), "openai", 404)
        row = weir.row(ask_chat(weir, key=made["key"]))
        equal((row["key"], row["tags"]), (made["id"], {"env": "test"}), "key and tags of the row")
        weir.restart()
        equal(ask_chat(weir, key=made["key"]).status, 200, "after the restart")
        check_error(ask_chat(weir, "other", made["key"]), "openai", 404)
        listed = weir.admin("GET", "/api/v1/keys")
        check(made["key"] not in listed.text(), "the list shows the secret")
        names = {key["name"]: key["source"] for key in listed.json()["keys"]}
        equal(names, {"client": "file", "app": "console"}, "the list of keys")


@test
def rotation_overlaps_and_then_ends():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        first = make(weir, "app")
        rotated = weir.admin("POST", f"/api/v1/keys/{first['id']}/rotate", {"overlap_s": 3600})
        equal(rotated.status, 200, "rotation")
        second = rotated.json()
        check(second["key"] != first["key"] and second["id"] == first["id"], "a new secret")
        everywhere(weir, second["key"], 200)
        everywhere(weir, first["key"], 200)
        weir.restart()
        equal(ask_chat(weir, key=first["key"]).status, 200, "the old key after a restart")
        equal(ask_chat(weir, key=second["key"]).status, 200, "the new key after a restart")
        third = weir.admin("POST", f"/api/v1/keys/{first['id']}/rotate", {"overlap_s": 0}).json()
        everywhere(weir, third["key"], 200)
        everywhere(weir, second["key"], 401)
        everywhere(weir, first["key"], 401)
        fourth = weir.admin("POST", f"/api/v1/keys/{first['id']}/rotate", {"overlap_s": 1}).json()
        everywhere(weir, third["key"], 401)  # without any message: the time itself ends it
        equal(ask_chat(weir, key=fourth["key"]).status, 200, "the newest key")


@test
def the_limit_of_a_rotated_key_is_shared_by_both_secrets():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        first = make(weir, "app", limits={"rpm": 2})
        second = weir.admin("POST", f"/api/v1/keys/{first['id']}/rotate",
                            {"overlap_s": 3600}).json()
        statuses = [ask_chat(weir, key=key).status
                    for key in (first["key"], second["key"], first["key"], second["key"])]
        check(statuses.count(200) in (2, 3) and 429 in statuses, statuses)


@test
def a_revoked_key_is_refused_at_once_and_for_good():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        made = make(weir, "app")
        everywhere(weir, made["key"], 200)
        equal(weir.admin("DELETE", f"/api/v1/keys/{made['id']}").status, 200, "revoking")
        everywhere(weir, made["key"], 401)
        check_error(ask_chat(weir, key=made["key"]), "openai", 401)
        equal(weir.admin("DELETE", f"/api/v1/keys/{made['id']}").status, 404, "revoking again")
        again = weir.admin("POST", f"/api/v1/keys/{made['id']}/rotate", {"overlap_s": 9})
        equal(again.status, 404, "rotating a revoked key")
        make(weir, "app")  # the name is free again
        weir.restart()
        equal(ask_chat(weir, key=made["key"]).status, 401, "after the restart")


@test
def revoking_the_last_key_does_not_open_the_gateway():
    with Upstream() as upstream, Weir(config(upstream, keys=[])) as weir:
        equal(ask_chat(weir, key=None).status, 200, "without any key: open")
        made = make(weir, "only")
        everywhere(weir, None, 401)
        equal(weir.admin("DELETE", f"/api/v1/keys/{made['id']}").status, 200, "revoking")
        for _ in range(20):
            check_error(ask_chat(weir, key=None), "openai", 401)
            check_error(ask_chat(weir, key=made["key"]), "openai", 401)
        weir.restart()
        check_error(ask_chat(weir, key=None), "openai", 401)


@test
def what_a_key_cannot_be_is_refused():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        make(weir, "taken")
        for body, status in [({}, 400), ({"name": ""}, 400), ({"name": "x" * 129}, 400),
                             ({"name": 5}, 400), ([], 400), ({"name": "taken"}, 409),
                             ({"name": "a", "limits": {"rpm": 0}}, 400),
                             ({"name": "a", "limits": {"rpm": -1}}, 400),
                             ({"name": "a", "limits": {"rpm": "5"}}, 400),
                             ({"name": "a", "limits": {"rmp": 5}}, 400),
                             ({"name": "a", "limits": 7}, 400),
                             ({"name": "a", "models": "quick"}, 400),
                             ({"name": "a", "models": [5]}, 400),
                             ({"name": "a", "tags": [1]}, 400),
                             ({"name": "a", "capture": "yes"}, 400),
                             ({"name": "a", "budget": {"usd": "x"}}, 400),
                             ({"name": "a", "budget": {"usd": 1, "per": "year"}}, 400),
                             ({"name": "a", "expires": "soon"}, 400),
                             ({"name": "a", "expires": 5}, 400),
                             ({"name": "a", "modles": ["quick"]}, 400)]:
            answer = weir.admin("POST", "/api/v1/keys", body)
            equal(answer.status, status, f"a key of {body}")
            check(answer.json()["error"]["message"], "a message")
        for overlap in (-1, 1e10, "x", 1.5):
            made = weir.admin("GET", "/api/v1/keys").json()["keys"]
            made = next(key for key in made if key["name"] == "taken")
            answer = weir.admin("POST", f"/api/v1/keys/{made['id']}/rotate", {"overlap_s": overlap})
            equal(answer.status, 400, f"rotating with an overlap of {overlap}")
        names = [key["name"] for key in weir.admin("GET", "/api/v1/keys").json()["keys"]]
        equal(sorted(names), ["client", "taken"], "the keys at the end")


@test
def an_expired_key_is_refused():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        made = make(weir, "old", expires="2020-01-01T00:00:00Z")
        everywhere(weir, made["key"], 401)
        answer = ask_chat(weir, key=made["key"])
        check("expired" in check_error(answer, "openai", 401)["message"], answer)
        rotated = weir.admin("POST", f"/api/v1/keys/{made['id']}/rotate", {"overlap_s": 60}).json()
        everywhere(weir, rotated["key"], 401)
        everywhere(weir, made["key"], 401)


@test
def the_store_holds_no_secret():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        made = make(weir, "app")
        rotated = weir.admin("POST", f"/api/v1/keys/{made['id']}/rotate", {"overlap_s": 60}).json()
        weir.restart()
        for path in weir.data.iterdir():
            content = path.read_bytes()
            for secret in (made["key"], rotated["key"], CLIENT_KEY):
                check(secret.encode() not in content, f"{path.name} holds a key")
        equal((weir.data / "key_hash.secret").stat().st_mode & 0o777, 0o600, "mode of the secret")
        rows = query(weir.data / "meta.db", "SELECT length(hash) FROM key")
        equal(rows, [(32,)], "the hash")


@test
def keys_made_by_the_shell_are_taken_up_by_a_reload():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        def key(*words, code=0):
            done = command("key", *words, "--data-dir", str(weir.data))
            equal(done.returncode, code, f"exit code of weir key {words}: {done.stderr}")
            return done.stdout.strip()

        made = key("add", "ci", "--model", "quick", "--rpm", "100", "--tag", "env=ci")
        equal(len(made.split()), 1, "only the key on standard output")
        equal(weir.admin("POST", "/api/v1/reload").status, 200, "reload")
        everywhere(weir, made, 200)
        listed = json.loads(key("list", "--json"))
        equal([entry["name"] for entry in listed], ["ci"], "the list")
        check(made not in key("list"), "the list shows the secret")
        fresh = key("rotate", "ci", "--overlap", "1h")
        weir.admin("POST", "/api/v1/reload")
        everywhere(weir, fresh, 200)
        everywhere(weir, made, 200)
        key("revoke", "ci")
        weir.admin("POST", "/api/v1/reload")
        everywhere(weir, fresh, 401)
        everywhere(weir, made, 401)
        key("add", "ci", "--rpm", "0", code=1)
        key("revoke", "ci", code=1)
        key("add", code=2)


@test
def the_shell_and_the_server_write_at_once_without_loss():
    with Upstream() as upstream, Weir(config(upstream)) as weir:
        made = []
        def by_shell():
            for number in range(8):
                done = subprocess.run(
                    [WEIR, "key", "add", f"shell-{number}", "--data-dir",
                     str(weir.data)], capture_output=True, text=True, check=False)
                made.append((done.returncode, done.stderr))
        worker = threading.Thread(target=by_shell)
        worker.start()
        for number in range(20):
            make(weir, f"api-{number}")
        worker.join()
        equal([entry for entry in made if entry[0] != 0], [], "failures of weir key add")
        count = query(weir.data / "meta.db", "SELECT count(*) FROM key")
        equal(count, [(28,)], "keys in the store")


if __name__ == "__main__":
    main()
