"""PyPI litellm as a client, by way of its providers for OpenAI, Anthropic, Gemini and Azure."""

import asyncio
import json

import litellm

from faults import FaultTests
from scenes import AMBER, BOTH, HARBORS, PICTURE, REPORT, RESULTS, WEATHER
from world import MODELS, WorldTest, scene, spread

litellm.suppress_debug_info = True
litellm.telemetry = False
# What a user of Weir tells litellm about models by names of one's own.
litellm.register_model({
    f"gemini/{m.name}": {"litellm_provider": "gemini", "mode": "chat",
                         "supports_response_schema": True} for m in MODELS})


def user(content):
    return {"role": "user", "content": content}


def used(reply):
    return reply.usage.prompt_tokens, reply.usage.completion_tokens


def tool(spec):
    return {"type": "function", "function": {
        "name": spec.name, "description": spec.description, "parameters": spec.parameters}}


SCHEMA = {"type": "json_schema", "json_schema": {
    "name": REPORT.name, "schema": REPORT.schema, "strict": True}}


class By:
    """A provider of litellm: what it calls a model, and where it finds Weir."""

    def __init__(self, prefix, path, **extra):
        self.prefix, self.path, self.extra = prefix, path, extra

    def options(self, context):
        return {"model": f"{self.prefix}/{context.name}", "api_base": context.url + self.path,
                "api_key": context.key, "num_retries": 0, "max_retries": 0, "timeout": 20,
                **self.extra}


BY_OPENAI = By("openai", "/v1")
BY_ANTHROPIC = By("anthropic", "")
BY_GEMINI = By("gemini", "/v1beta")
BY_AZURE = By("azure", "", api_version="2024-10-21")


class Scenes:
    by = BY_OPENAI

    def ask(self, context, messages, **options):
        return litellm.completion(
            messages=messages, **{**self.by.options(context), **options})

    @scene()
    def text_whole(self, context):
        reply = self.ask(context, [user(AMBER.ask)])
        self.assertEqual(reply.choices[0].message.content, AMBER.answer)
        self.assertEqual(reply.choices[0].finish_reason, "stop")
        return [used(reply)]

    @scene()
    def text_streamed(self, context):
        text, usage = "", None
        for chunk in self.ask(context, [user(AMBER.ask)], stream=True,
                              stream_options={"include_usage": True}):
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
            usage = getattr(chunk, "usage", None) or usage
        self.assertEqual(text, AMBER.answer)
        return [(usage.prompt_tokens, usage.completion_tokens)]

    @scene()
    def text_asynchronously(self, context):
        async def run():
            text = ""
            async for chunk in await litellm.acompletion(
                    messages=[user(AMBER.ask)], stream=True, **self.by.options(context)):
                if chunk.choices:
                    text += chunk.choices[0].delta.content or ""
            return text
        self.assertEqual(asyncio.run(run()), AMBER.answer)
        return [None]

    @scene()
    def several_turns(self, context):
        reply = self.ask(context, [
            {"role": "system", "content": "You are a lighthouse keeper."},
            user("My boat is the Petrel."),
            {"role": "assistant", "content": "A fine boat."},
            user(AMBER.ask),
        ])
        self.assertEqual(reply.choices[0].message.content, AMBER.answer)
        context.upstream_got(self, "lighthouse keeper", "Petrel", "A fine boat.")
        return [used(reply)]

    @scene()
    def two_tools_at_once(self, context):
        messages, tools = [user(BOTH.ask)], [tool(WEATHER), tool(HARBORS)]
        first = self.ask(context, messages, tools=tools)
        message = first.choices[0].message
        self.assertEqual(first.choices[0].finish_reason, "tool_calls")
        self.assertEqual([(c.function.name, json.loads(c.function.arguments))
                          for c in message.tool_calls],
                         [(WEATHER.name, WEATHER.arguments), (HARBORS.name, {})])
        messages.append(message.model_dump())
        messages += [{"role": "tool", "tool_call_id": c.id, "content": RESULTS[c.function.name]}
                     for c in message.tool_calls]
        second = self.ask(context, messages, tools=tools)
        self.assertRegex(second.choices[0].message.content, "7 degrees.*Bergen")
        return [used(first), used(second)]

    @scene()
    def a_tool_without_arguments_streamed(self, context):
        name, arguments = None, ""
        for chunk in self.ask(context, [user(HARBORS.ask)], tools=[tool(HARBORS)], stream=True):
            for call in (chunk.choices and chunk.choices[0].delta.tool_calls) or []:
                name = call.function.name or name
                arguments += call.function.arguments or ""
        self.assertEqual((name, json.loads(arguments or "{}")), (HARBORS.name, {}))
        return [None]

    @scene()
    def output_by_a_schema(self, context):
        reply = self.ask(context, [user(REPORT.ask)], response_format=SCHEMA)
        self.assertEqual(json.loads(reply.choices[0].message.content), REPORT.value)
        return [used(reply)]

    @scene()
    def an_image(self, context):
        reply = self.ask(context, [user([
            {"type": "text", "text": PICTURE.ask},
            {"type": "image_url", "image_url": {"url": PICTURE.url}},
        ])])
        self.assertEqual(reply.choices[0].message.content, AMBER.answer)
        context.upstream_got(self, PICTURE.base64)
        return [used(reply)]


@spread
class ByOpenAI(Scenes, WorldTest):
    def test_embeddings(self):
        for name in ("embed-openai", "embed-gemini"):
            context = self.world.context(name)
            reply = litellm.embedding(input=["harbor", "amber"], **BY_OPENAI.options(context))
            self.assertEqual(len(reply.data), 2)
            self.assertEqual(context.rows(1)[0]["outcome"], "ok")


@spread
class ByAnthropic(Scenes, WorldTest):
    by = BY_ANTHROPIC


@spread
class ByGemini(Scenes, WorldTest):
    by = BY_GEMINI


@spread
class ByAzure(WorldTest):
    @scene([m for m in MODELS if m.name in ("via-azure-classic", "via-azure-v1", "via-anthropic")])
    def text(self, context):
        reply = litellm.completion(messages=[user(AMBER.ask)], **BY_AZURE.options(context))
        self.assertEqual(reply.choices[0].message.content, AMBER.answer)
        return [used(reply)]


class LitellmFaults(FaultTests, WorldTest):
    by = BY_OPENAI
    timeout_error = litellm.Timeout

    def whole(self, context, ask, **options):
        reply = litellm.completion(
            messages=[user(ask)], **{**self.by.options(context), **options})
        return reply.choices[0].message.content

    def pieces(self, context, ask):
        finished = False
        stream = litellm.completion(
            messages=[user(ask)], stream=True, **self.by.options(context))
        try:
            for chunk in stream:
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content
                finished = finished or bool(chunk.choices and chunk.choices[0].finish_reason)
        finally:
            stream.completion_stream.close()
        if not finished:
            raise self.Unfinished("a stream without a finish_reason")

    async def pieces_async(self, context, ask):
        async for chunk in await litellm.acompletion(
                messages=[user(ask)], stream=True, **self.by.options(context)):
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content

    def status_of(self, error):
        return getattr(error, "status_code", None)

    def headers_of(self, error):
        return getattr(error, "litellm_response_headers", None)
