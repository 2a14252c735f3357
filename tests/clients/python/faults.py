"""What a client sees when something goes wrong, and what the ledger says about it then."""

import asyncio
import itertools
import time

from scenes import AMBER, long_story
from world import until

# What the provider answers, and what its client is told: a refused credential is Weir's business
# and not the client's.
BEFORE = {"400": {400}, "401": {503}, "404": {404}, "429": {429}, "500": {500}, "529": {503, 529}}
WITHIN = ("error-event", "close", "truncate", "midstall")
PROVIDERS = ("openai", "anthropic", "gemini")


class FaultTests:
    """A mix-in: the file's own client is behind whole(), pieces(), pieces_async()."""

    class Unfinished(Exception):
        """A stream that ended as if all was well, without its last word."""

    mark = itertools.count(1)
    # litellm has names of its own for statuses that its table lacks.
    statuses_are_kept = True

    def error_of(self, function, *arguments, **options):
        try:
            value = function(*arguments, **options)
        except Exception as error:  # pylint: disable=broad-except
            return error
        raise AssertionError(f"expected an error, got {value!r}")

    def stream(self, context, ask=AMBER.ask):
        return "".join(self.pieces(context, ask))

    def assert_status(self, error, statuses):
        if self.statuses_are_kept:
            self.assertIn(self.status_of(error), statuses, f"{error!r}")

    def refused(self, context, status, outcome):
        for ask in (self.whole, self.stream):
            self.assert_status(self.error_of(ask, context, AMBER.ask), {status})
        for row in context.rows(2):
            self.assertEqual((row["status"], row["outcome"], row["cost_nano_usd"]),
                             (status, outcome, 0), row)

    def test_a_key_that_nobody_issued(self):
        context = self.world.context("via-openai")
        context.key = "sk-weir-nobody-issued-this"
        for ask in (self.whole, self.stream):
            self.assert_status(self.error_of(ask, context, AMBER.ask), {401})

    def test_a_model_that_does_not_exist(self):
        self.refused(self.world.context("no-such-model"), 404, "denied")

    def test_a_model_that_the_key_may_not_use(self):
        self.refused(self.world.context("via-openai", models=["via-gemini"]), 404, "denied")

    def test_more_requests_than_the_key_may_make(self):
        context = self.world.context("via-openai", limits={"rpm": 1})
        self.assertEqual(self.whole(context, AMBER.ask), AMBER.answer)
        error = self.error_of(self.whole, context, AMBER.ask)
        self.assert_status(error, {429})
        if self.headers_of(error) is not None:
            self.assertGreaterEqual(int(self.headers_of(error)["retry-after"]), 1)
        self.assertEqual(context.rows(2)[1]["outcome"], "denied")

    def test_failures_before_the_first_byte(self):
        for provider in PROVIDERS:
            for fault, statuses in BEFORE.items():
                with self.subTest(provider=provider, fault=fault):
                    context = self.world.context(f"{provider}-{fault}")
                    error = self.error_of(self.whole, context, AMBER.ask)
                    self.assert_status(error, statuses)
                    self.assertNotIn("sk-up", str(error))
                    if fault == "400":
                        self.assertIn("the simulator does not like this", str(error))
                    if fault == "429" and self.headers_of(error) is not None:
                        self.assertIn(int(self.headers_of(error)["retry-after"]), (6, 7, 8))
                    row = context.rows(1)[0]
                    self.assertIn(row["status"], statuses, row)
                    self.assertEqual(row["outcome"], "error", row)

    def test_a_stall_before_the_first_byte(self):
        for provider in PROVIDERS:
            for ask in (self.whole, self.stream):
                with self.subTest(provider=provider, ask=ask.__name__):
                    context = self.world.context(f"{provider}-stall")
                    self.assert_status(self.error_of(ask, context, AMBER.ask), {504})
                    self.assertEqual(context.rows(1)[0]["status"], 504)

    def test_failures_within_a_stream(self):
        for provider in PROVIDERS:
            for fault in WITHIN:
                with self.subTest(provider=provider, fault=fault):
                    context = self.world.context(f"{provider}-{fault}")
                    got = []

                    def read():
                        for piece in self.pieces(context, AMBER.ask):
                            got.append(piece)  # pylint: disable=cell-var-from-loop
                    error = self.error_of(read)
                    self.assertNotIsInstance(error, self.Unfinished, "taken for a success")
                    self.assertTrue(got, "nothing of what came before the failure")
                    self.assertIn(context.rows(1)[0]["outcome"], ("truncated", "error"))

    def test_whole_answers_cut_short(self):
        for provider in PROVIDERS:
            for fault in ("close", "truncate"):
                with self.subTest(provider=provider, fault=fault):
                    context = self.world.context(f"{provider}-{fault}")
                    self.assert_status(self.error_of(self.whole, context, AMBER.ask), {502})
                    row = context.rows(1)[0]
                    self.assertEqual((row["status"], row["outcome"]), (502, "error"))

    def test_failover(self):
        for name, account in (("failover", "anthropic"), ("failover-500", "gemini")):
            with self.subTest(name=name):
                context = self.world.context(name)
                self.assertEqual(self.whole(context, AMBER.ask), AMBER.answer)
                self.assertEqual(self.stream(context), AMBER.answer)
                for row in context.rows(2):
                    self.assertEqual((row["outcome"], row["account"], len(row["attempts"])),
                                     ("ok", account, 2), row)

    def aborted(self, context, ask):
        row = context.rows(1)[0]
        self.assertEqual(row["outcome"], "aborted", row)
        mark = ask.split("\n", 1)[0]
        call = until("the simulator's account of the call", lambda: next(
            (c for c in self.world.calls() if mark in c.get("request", "")), None))
        self.assertEqual(call["outcome"], "aborted", call)
        self.assertLess(call["output_sent"], 300)
        return row

    def test_leaving_in_the_middle_of_a_stream(self):
        for provider in PROVIDERS:
            with self.subTest(provider=provider):
                context = self.world.context(f"slow-{provider}")
                ask = long_story(next(self.mark))
                pieces = self.pieces(context, ask)
                for _ in range(5):
                    next(pieces)
                pieces.close()
                context.hang_up()
                row = self.aborted(context, ask)
                self.assertEqual(row["cost_state"], "estimated", row)
                self.assertGreater(row["cost_nano_usd"], 0)
                self.assertTrue(0 < row["usage"]["output"] < 300, row)

    def test_a_cancelled_task(self):
        for provider in PROVIDERS:
            with self.subTest(provider=provider):
                context = self.world.context(f"slow-{provider}")
                ask = long_story(next(self.mark))

                async def run():
                    begun = asyncio.Event()

                    async def read():
                        async for _ in self.pieces_async(context, ask):  # pylint: disable=W0640
                            begun.set()
                    task = asyncio.create_task(read())
                    await asyncio.wait_for(begun.wait(), 10)
                    task.cancel()
                    try:
                        await task
                    except asyncio.CancelledError:
                        return
                    raise AssertionError("the task ended by itself")
                asyncio.run(run())
                self.aborted(context, ask)

    def test_the_clients_own_timeout(self):
        context = self.world.context("slow-openai")
        ask = long_story(next(self.mark))
        begun = time.monotonic()
        error = self.error_of(self.whole, context, ask, timeout=0.3)
        self.assertIsInstance(error, self.timeout_error)
        self.assertLess(time.monotonic() - begun, 4)
        context.hang_up()
        self.aborted(context, ask)
