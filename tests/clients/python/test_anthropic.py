"""PyPI anthropic, the synchronous and the asynchronous client."""

import asyncio
import json

import anthropic
from anthropic import Anthropic, AsyncAnthropic

from faults import FaultTests
from scenes import AMBER, BOTH, HARBORS, PICTURE, REPORT, RESULTS, WEATHER
from world import MODELS, WorldTest, scene, spread

NATIVE = [m for m in MODELS if m.dialect == "anthropic"]


def client(context, kind=Anthropic, **options):
    return kind(base_url=context.url, api_key=context.key,
                **context.http(anthropic, kind is AsyncAnthropic),
                **{"max_retries": 0, "timeout": 20, **options})


def user(content):
    return {"role": "user", "content": content}


def used(reply):
    u = reply.usage
    return (u.input_tokens + (u.cache_read_input_tokens or 0) +
            (u.cache_creation_input_tokens or 0), u.output_tokens)


def text_of(reply):
    return "".join(block.text for block in reply.content if block.type == "text")


def tool(spec):
    return {"name": spec.name, "description": spec.description, "input_schema": spec.parameters}


def calls_of(reply):
    return [block for block in reply.content if block.type == "tool_use"]


def results(calls):
    return user([{"type": "tool_result", "tool_use_id": c.id, "content": RESULTS[c.name]}
                 for c in calls])


FORMAT = {"format": {"type": "json_schema", "schema": REPORT.schema}}


@spread
class MessagesTest(WorldTest):
    @scene()
    def text_whole(self, context):
        reply = client(context).messages.create(
            model=context.name, max_tokens=400, messages=[user(AMBER.ask)])
        self.assertEqual((text_of(reply), reply.stop_reason), (AMBER.answer, "end_turn"))
        self.assertTrue(reply._request_id)  # pylint: disable=protected-access
        return [used(reply)]

    @scene()
    def text_streamed(self, context):
        with client(context).messages.stream(
                model=context.name, max_tokens=400, messages=[user(AMBER.ask)]) as stream:
            text = "".join(stream.text_stream)
            reply = stream.get_final_message()
        self.assertEqual((text, text_of(reply)), (AMBER.answer, AMBER.answer))
        return [used(reply)]

    @scene()
    def text_streamed_asynchronously(self, context):
        async def run():
            async with client(context, AsyncAnthropic) as api:
                async with api.messages.stream(
                        model=context.name, max_tokens=400, messages=[user(AMBER.ask)]) as stream:
                    return await stream.get_final_message()
        reply = asyncio.run(run())
        self.assertEqual(text_of(reply), AMBER.answer)
        return [used(reply)]

    @scene()
    def several_turns(self, context):
        reply = client(context).messages.create(
            model=context.name, max_tokens=400, system="You are a lighthouse keeper.", messages=[
                user("My boat is the Petrel."),
                {"role": "assistant", "content": "A fine boat."},
                user(AMBER.ask),
            ])
        self.assertEqual(text_of(reply), AMBER.answer)
        context.upstream_got(self, "lighthouse keeper", "Petrel", "A fine boat.")
        return [used(reply)]

    @scene()
    def two_tools_at_once(self, context):
        api, messages = client(context), [user(BOTH.ask)]
        ask = {"model": context.name, "max_tokens": 400, "tools": [tool(WEATHER), tool(HARBORS)]}
        first = api.messages.create(messages=messages, **ask)
        self.assertEqual(first.stop_reason, "tool_use")
        self.assertEqual([(c.name, c.input) for c in calls_of(first)],
                         [(WEATHER.name, WEATHER.arguments), (HARBORS.name, {})])
        messages += [{"role": "assistant", "content": first.content}, results(calls_of(first))]
        second = api.messages.create(messages=messages, **ask)
        self.assertRegex(text_of(second), "7 degrees.*Bergen")
        return [used(first), used(second)]

    @scene()
    def a_tool_without_arguments_streamed(self, context):
        api, messages = client(context), [user(HARBORS.ask)]
        ask = {"model": context.name, "max_tokens": 400, "tools": [tool(HARBORS)]}
        with api.messages.stream(messages=messages, **ask) as stream:
            first = stream.get_final_message()
        self.assertEqual([(c.name, c.input) for c in calls_of(first)], [(HARBORS.name, {})])
        messages += [{"role": "assistant", "content": first.content}, results(calls_of(first))]
        with api.messages.stream(messages=messages, **ask) as stream:
            second = stream.get_final_message()
        self.assertIn("Bergen", text_of(second))
        return [used(first), used(second)]

    @scene()
    def output_by_a_schema(self, context):
        reply = client(context).messages.create(
            model=context.name, max_tokens=400, messages=[user(REPORT.ask)], output_config=FORMAT)
        self.assertEqual(json.loads(text_of(reply)), REPORT.value)
        return [used(reply)]

    @scene()
    def an_image(self, context):
        reply = client(context).messages.create(
            model=context.name, max_tokens=400, messages=[user([
                {"type": "image", "source": {
                    "type": "base64", "media_type": PICTURE.type, "data": PICTURE.base64}},
                {"type": "text", "text": PICTURE.ask},
            ])])
        self.assertEqual(text_of(reply), AMBER.answer)
        context.upstream_got(self, PICTURE.base64)
        return [used(reply)]

    @scene(NATIVE)
    def a_prompt_cache(self, context):
        ask = {
            "model": context.name, "max_tokens": 400, "messages": [user(AMBER.ask)],
            "system": [{
                "type": "text", "text": context.key_id + " A long manual of the harbor." * 300,
                "cache_control": {"type": "ephemeral", "ttl": "1h"},
            }],
        }
        first = client(context).messages.create(**ask)
        second = client(context).messages.create(**ask)
        self.assertGreater(first.usage.cache_creation_input_tokens, 1000)
        self.assertEqual(second.usage.cache_read_input_tokens,
                         first.usage.cache_creation_input_tokens)
        row = context.rows(2)[0]
        self.assertEqual(row["usage"]["cache_write_1h"], first.usage.cache_creation_input_tokens)
        return [used(first), used(second)]

    def test_token_counts(self):
        for model in MODELS:
            with self.subTest(model=model.name):
                count = client(self.world.context(model)).messages.count_tokens(
                    model=model.name, messages=[user("How many tokens is this, roughly?")])
                self.assertTrue(3 < count.input_tokens < 40, count)

    def test_models(self):
        context = self.world.context("via-openai", models=["via-openai", "via-gemini"])
        self.assertEqual([m.id for m in client(context).models.list()],
                         ["via-gemini", "via-openai"])


class AnthropicFaults(FaultTests, WorldTest):
    timeout_error = anthropic.APITimeoutError

    def whole(self, context, ask, **options):
        return text_of(client(context, **options).messages.create(
            model=context.name, max_tokens=400, messages=[user(ask)]))

    def pieces(self, context, ask):
        finished = False
        stream = client(context).messages.create(
            model=context.name, max_tokens=400, messages=[user(ask)], stream=True)
        try:
            for event in stream:
                if event.type == "content_block_delta" and event.delta.type == "text_delta":
                    yield event.delta.text
                finished = finished or event.type == "message_stop"
        finally:
            stream.close()
        if not finished:
            raise self.Unfinished("a stream without message_stop")

    async def pieces_async(self, context, ask):
        async with client(context, AsyncAnthropic) as api:
            async with api.messages.stream(
                    model=context.name, max_tokens=400, messages=[user(ask)]) as stream:
                async for text in stream.text_stream:
                    yield text

    def status_of(self, error):
        return getattr(error, "status_code", None)

    def headers_of(self, error):
        return error.response.headers
