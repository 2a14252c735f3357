#!/usr/bin/env python3
"""Limits and budgets of keys and teams, with the headers that each vendor's clients read."""

import concurrent.futures
import math
import time

from harness import (CLIENT_KEY, Stream, Weir, ask, ask_chat, chat, check, check_error, config,
                     dialects, equal, eventually, main, test)
from upstream import INPUT_TOKENS, OUTPUT_TOKENS, Upstream

OTHER_KEY = "wk-system-other-7713c0aa42"


def limited(upstream, models=("quick",), **key):
    return config(upstream, models=models,
                  keys=[{"name": "client", "key": CLIENT_KEY, **key}])


def check_headers(answer, dialect, what, limit):
    """The rate-limit headers of this vendor; the remaining number."""
    if dialect == "anthropic":
        name = f"anthropic-ratelimit-{what}-"
        check("T" in answer.headers.get(name + "reset", ""), f"{dialect}: {answer.headers}")
        got = answer.headers.get(name + "limit"), answer.headers.get(name + "remaining")
    else:
        got = (answer.headers.get(f"x-ratelimit-limit-{what}"),
               answer.headers.get(f"x-ratelimit-remaining-{what}"))
        check(answer.headers.get(f"x-ratelimit-reset-{what}", "").endswith(("s", "m", "h")),
              f"{dialect}: {answer.headers}")
    equal(got[0], str(limit), f"{dialect}: the limit")
    return int(got[1])


@test
def requests_per_minute_in_every_dialect():
    for name, path, body in dialects():
        with Upstream() as upstream, Weir(limited(upstream, limits={"rpm": 3})) as weir:
            answers = []
            while len(answers) < 30 and (not answers or answers[-1].status == 200):
                answers.append(ask(weir.port, path, body))
                if answers[-1].status == 200:
                    left = check_headers(answers[-1], name, "requests", 3)
                    check(0 <= left <= 2, f"{name}: {left} left")
            refused = answers[-1]
            error = check_error(refused, name, 429)
            equal(check_headers(refused, name, "requests", 3), 0, f"{name}: left when refused")
            check(1 <= int(refused.headers["retry-after"]) <= 20, refused.headers)
            check(0 < int(refused.headers["retry-after-ms"]) <= 20_000, refused.headers)
            wanted = {"openai": ("type", "rate_limit_error"),
                      "anthropic": ("type", "rate_limit_error"),
                      "gemini": ("status", "RESOURCE_EXHAUSTED")}[name]
            equal(error[wanted[0]], wanted[1], f"{name}: kind of error")
            check(len(answers) >= 4, f"{name}: {len(answers)} answers")
            row = weir.row(refused)
            equal((row["outcome"], row["status"], row["error_code"]),
                  ("denied", 429, "rate_limit_exceeded"), f"{name}: the row")
            equal(upstream.count("quick"), len(answers) - 1, f"{name}: calls at the provider")


@test
def of_a_hundred_at_once_exactly_the_limit_passes():
    with Upstream() as upstream, Weir(limited(upstream, limits={"rpm": 10})) as weir:
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            statuses = list(pool.map(lambda _: ask_chat(weir).status, range(100)))
        # One more is allowed every six seconds: on a machine that needed longer, so many more.
        refilled = math.floor((time.monotonic() - began) / 6)
        passed = statuses.count(200)
        check(10 <= passed <= 10 + refilled, f"{passed} passed, {refilled} came back meanwhile")
        equal(passed + statuses.count(429), 100, f"200 or 429: {statuses}")
        equal(upstream.count("quick"), passed, "calls at the provider")


@test
def tokens_per_minute_count_what_was_used():
    used = INPUT_TOKENS + OUTPUT_TOKENS
    with Upstream() as upstream, Weir(limited(upstream, limits={"tpm": 600})) as weir:
        answers = []
        while len(answers) < 200 and (not answers or answers[-1].status == 200):
            answers.append(ask_chat(weir, max_tokens=OUTPUT_TOKENS))
            if answers[-1].status == 200:
                check_headers(answers[-1], "openai", "tokens", 600)
        refused = answers[-1]
        equal(check_error(refused, "openai", 429)["code"], "rate_limit_exceeded", "the code")
        equal(weir.row(refused)["error_code"], "token_limit_exceeded", "the row's code")
        check(int(refused.headers["retry-after"]) >= 1, refused.headers)
        # Estimates are given back: far more pass than if each had kept its reservation, and not
        # more than the minute's tokens with what came back meanwhile.
        check(600 // used - 3 <= len(answers) - 1 <= 600 // used + 20, f"{len(answers)} answers")
        # One that can never fit is told so at once.
        never = ask_chat(weir, max_tokens=100_000)
        check_error(never, "openai", 429)


@test
def requests_at_once():
    with Upstream() as upstream:
        gate = upstream.gate("slow")
        made = limited(upstream, models=("quick", "slow"), limits={"concurrency": 3})
        with Weir(made) as weir:
            streams = [Stream(weir.port, chat("slow", stream=True)) for _ in range(3)]
            for number in range(10):
                refused = ask_chat(weir)
                check_error(refused, "openai", 429)
                equal(weir.row(refused)["error_code"], "concurrency_limit_exceeded", "the row")
            streams.pop().close()  # an aborted one gives its place back
            eventually(lambda: ask_chat(weir).status == 200, "the place of the aborted stream")
            gate.open()
            for stream in streams:
                equal(stream.rest()[-1], "[DONE]", "the end of a stream")
            eventually(lambda: all(ask_chat(weir).status == 200 for _ in range(5)),
                       "all places are free")


@test
def places_come_back_after_every_kind_of_end():
    with Upstream() as upstream:
        def breaks(call):
            call.begin()
            call.delta("x")
            call.cut()
        upstream.on("breaks", breaks)
        upstream.on("refuses", lambda call: call.answer(400, {"error": {"message": "no"}}))
        upstream.on("fails", lambda call: call.answer(500, {"error": {"message": "oh"}}))
        models = ("quick", "breaks", "refuses", "fails")
        with Weir(limited(upstream, models=models, limits={"concurrency": 1})) as weir:
            for model in models * 3:
                for body in (chat(model), chat(model, stream=True), chat(model, n="x" * 10)):
                    eventually(lambda: ask(weir.port, "/v1/chat/completions", body).status != 429,
                               f"a place after {model}")


@test
def a_budget_stops_in_every_dialect_and_after_a_restart():
    # A call costs 10 * 1 + 5 * 2 = 20 dollars a million: 0.00002. Held for it is more: all of its
    # text as single-byte tokens. The budget is ten calls.
    made_limits = {"budget": {"usd": "0.0002", "per": "day"}}
    with Upstream() as upstream, Weir(limited(upstream, **made_limits)) as weir:
        spent = 0
        answers = []
        while len(answers) < 20 and (not answers or answers[-1].status == 200):
            answers.append(ask_chat(weir, max_tokens=1))
            if answers[-1].status == 200:
                spent += weir.row(answers[-1])["cost_nano_usd"]
        check(100_000 <= spent <= 200_000, f"{spent} nano-dollars were spent")
        for round_ in ("before", "after"):
            for name, path, body in dialects():
                answer = ask(weir.port, path, body)
                error = check_error(answer, name, (402, 403, 429))
                check("budget" in error["message"].lower(), f"{name}: {error}")
                row = weir.row(answer)
                equal((row["outcome"], row["error_code"], row["cost_nano_usd"]),
                      ("denied", "budget_exceeded", 0), f"{round_} the restart, {name}: the row")
            if round_ == "before":
                weir.restart()


@test
def a_team_shares_its_budget():
    with Upstream() as upstream:
        made = config(upstream, teams=[{"name": "t", "budget": {"usd": "0.0002", "per": "week"}}],
                      keys=[{"name": "client", "key": CLIENT_KEY, "team": "t"},
                            {"name": "other", "key": OTHER_KEY, "team": "t"}])
        with Weir(made) as weir:
            statuses = []
            while len(statuses) < 20 and 429 not in statuses:
                key = (CLIENT_KEY, OTHER_KEY)[len(statuses) % 2]
                statuses.append(ask_chat(weir, key=key, max_tokens=1).status)
            check(3 <= len(statuses) + 1 and statuses[-1] == 429, statuses)
            equal(ask_chat(weir, key=OTHER_KEY, max_tokens=1).status, 429, "the other key")
            equal(ask_chat(weir, key=CLIENT_KEY, max_tokens=1).status, 429, "the first key")


@test
def a_raised_limit_takes_effect_by_a_reload():
    with Upstream() as upstream, Weir(limited(upstream, limits={"rpm": 1})) as weir:
        eventually(lambda: ask_chat(weir).status == 429, "the limit")
        weir.write(limited(upstream, limits={"rpm": 100_000}))
        equal(weir.admin("POST", "/api/v1/reload").status, 200, "reload")
        eventually(lambda: all(ask_chat(weir).status == 200 for _ in range(20)), "the new limit")


if __name__ == "__main__":
    main()
