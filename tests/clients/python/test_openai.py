"""PyPI openai, the synchronous and the asynchronous client."""

import asyncio
import json

import openai
from openai import AsyncOpenAI, AzureOpenAI, OpenAI

from faults import FaultTests
from scenes import AMBER, BOTH, HARBORS, PICTURE, REPORT, RESULTS, WEATHER
from world import MODELS, WorldTest, scene, spread

NATIVE = [m for m in MODELS if m.name in ("via-openai", "via-azure-classic", "via-azure-v1")]


def client(context, kind=OpenAI, **options):
    return kind(base_url=f"{context.url}/v1", api_key=context.key,
                **context.http(openai, kind is AsyncOpenAI),
                **{"max_retries": 0, "timeout": 20, **options})


def user(content):
    return {"role": "user", "content": content}


def used(reply):
    return reply.usage.prompt_tokens, reply.usage.completion_tokens


def tool(spec):
    return {"type": "function", "function": {
        "name": spec.name, "description": spec.description, "parameters": spec.parameters}}


SCHEMA = {"type": "json_schema", "json_schema": {
    "name": REPORT.name, "schema": REPORT.schema, "strict": True}}


@spread
class ChatTest(WorldTest):
    @scene()
    def text_whole(self, context):
        reply = client(context).chat.completions.create(
            model=context.name, messages=[user(AMBER.ask)])
        self.assertEqual(reply.choices[0].message.content, AMBER.answer)
        self.assertEqual(reply.choices[0].finish_reason, "stop")
        return [used(reply)]

    @scene()
    def text_streamed(self, context):
        text, usage = "", None
        for chunk in client(context).chat.completions.create(
                model=context.name, messages=[user(AMBER.ask)], stream=True,
                stream_options={"include_usage": True}):
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
            usage = chunk.usage or usage
        self.assertEqual(text, AMBER.answer)
        return [(usage.prompt_tokens, usage.completion_tokens)]

    @scene()
    def text_streamed_asynchronously(self, context):
        async def run():
            text = ""
            async with client(context, AsyncOpenAI) as api:
                async for chunk in await api.chat.completions.create(
                        model=context.name, messages=[user(AMBER.ask)], stream=True):
                    self.assertIsNone(chunk.usage, "usage that the client did not ask for")
                    if chunk.choices:  # Azure begins with a chunk of its content filter
                        text += chunk.choices[0].delta.content or ""
            return text
        self.assertEqual(asyncio.run(run()), AMBER.answer)
        return [None]

    @scene()
    def several_turns(self, context):
        reply = client(context).chat.completions.create(model=context.name, messages=[
            {"role": "developer", "content": "You are a lighthouse keeper."},
            user("My boat is the Petrel."),
            {"role": "assistant", "content": "A fine boat."},
            user(AMBER.ask),
        ])
        self.assertEqual(reply.choices[0].message.content, AMBER.answer)
        context.upstream_got(self, "lighthouse keeper", "Petrel", "A fine boat.")
        return [used(reply)]

    @scene()
    def two_tools_at_once(self, context):
        api, messages = client(context), [user(BOTH.ask)]
        ask = {"model": context.name, "tools": [tool(WEATHER), tool(HARBORS)]}
        first = api.chat.completions.create(messages=messages, **ask)
        message = first.choices[0].message
        self.assertEqual(first.choices[0].finish_reason, "tool_calls")
        self.assertEqual([(c.function.name, json.loads(c.function.arguments))
                          for c in message.tool_calls],
                         [(WEATHER.name, WEATHER.arguments), (HARBORS.name, {})])
        messages.append(message)
        messages += [{"role": "tool", "tool_call_id": c.id, "content": RESULTS[c.function.name]}
                     for c in message.tool_calls]
        second = api.chat.completions.create(messages=messages, **ask)
        self.assertRegex(second.choices[0].message.content, "7 degrees.*Bergen")
        return [used(first), used(second)]

    @scene()
    def a_tool_without_arguments_streamed(self, context):
        api, messages = client(context), [user(HARBORS.ask)]
        ask = {"model": context.name, "tools": [tool(HARBORS)],
               "stream_options": {"include_usage": True}}
        with api.chat.completions.stream(messages=messages, **ask) as stream:
            first = stream.get_final_completion()
        call = first.choices[0].message.tool_calls[0]
        self.assertEqual((call.function.name, json.loads(call.function.arguments)),
                         (HARBORS.name, {}))
        messages.append({"role": "assistant", "tool_calls": [{
            "id": call.id, "type": "function",
            "function": {"name": call.function.name, "arguments": call.function.arguments}}]})
        messages.append({"role": "tool", "tool_call_id": call.id, "content": HARBORS.result})
        with api.chat.completions.stream(messages=messages, **ask) as stream:
            second = stream.get_final_completion()
        self.assertIn("Bergen", second.choices[0].message.content)
        return [used(first), used(second)]

    @scene()
    def output_by_a_schema(self, context):
        reply = client(context).chat.completions.create(
            model=context.name, messages=[user(REPORT.ask)], response_format=SCHEMA)
        self.assertEqual(json.loads(reply.choices[0].message.content), REPORT.value)
        return [used(reply)]

    @scene()
    def an_image(self, context):
        reply = client(context).chat.completions.create(model=context.name, messages=[user([
            {"type": "text", "text": PICTURE.ask},
            {"type": "image_url", "image_url": {"url": PICTURE.url}},
        ])])
        self.assertEqual(reply.choices[0].message.content, AMBER.answer)
        context.upstream_got(self, PICTURE.base64)
        return [used(reply)]

    @scene(NATIVE)
    def responses_streamed(self, context):
        with client(context).responses.stream(model=context.name, input=AMBER.ask) as stream:
            reply = stream.get_final_response()
        self.assertEqual(reply.output_text, AMBER.answer)
        return [(reply.usage.input_tokens, reply.usage.output_tokens)]

    @scene(NATIVE)
    def completions(self, context):
        reply = client(context).completions.create(model=context.name, prompt=AMBER.ask)
        self.assertEqual(reply.choices[0].text, AMBER.answer)
        return [used(reply)]

    @scene([m for m in MODELS if m.name in ("via-azure-classic", "via-gemini")])
    def by_the_azure_client(self, context):
        api = AzureOpenAI(azure_endpoint=context.url, api_key=context.key,
                          api_version="2024-10-21", max_retries=0,
                          **context.http(openai, False))
        reply = api.chat.completions.create(model=context.name, messages=[user(AMBER.ask)])
        self.assertEqual(reply.choices[0].message.content, AMBER.answer)
        return [used(reply)]

    def test_embeddings(self):
        for name in ("embed-openai", "embed-gemini"):
            context = self.world.context(name)
            one = client(context).embeddings.create(model=name, input="harbor")
            two = client(context).embeddings.create(model=name, input=["harbor", "amber"])
            self.assertEqual(len(two.data), 2)
            for a, b in zip(one.data[0].embedding, two.data[0].embedding):
                self.assertAlmostEqual(a, b, places=6)
            self.assertNotEqual(two.data[0].embedding, two.data[1].embedding)
            for row in context.rows(2):
                self.assertEqual(row["outcome"], "ok")

    def test_a_file(self):
        context = self.world.context("via-openai", models=["via-openai"])
        # More than the windows that HTTP/2 begins with.
        sent = b"a line of a training file\n" * 12_000
        api = client(context)
        made = api.files.create(file=("train.jsonl", sent), purpose="batch")
        self.assertEqual(made.bytes, len(sent))
        self.assertTrue(api.files.content(made.id).content == sent, "the bytes differ")
        self.assertTrue(api.files.delete(made.id).deleted)
        for row in context.rows(3):
            self.assertEqual((row["account"], row["outcome"]), ("openai", "ok"), row)

    def test_models(self):
        context = self.world.context("via-openai", models=["via-openai", "via-gemini"])
        self.assertEqual([m.id for m in client(context).models.list()],
                         ["via-gemini", "via-openai"])


class OpenAIFaults(FaultTests, WorldTest):
    connection_error = openai.APIConnectionError
    timeout_error = openai.APITimeoutError

    def whole(self, context, ask, **options):
        reply = client(context, **options).chat.completions.create(
            model=context.name, messages=[user(ask)])
        return reply.choices[0].message.content

    def pieces(self, context, ask):
        finished = False
        stream = client(context).chat.completions.create(
            model=context.name, messages=[user(ask)], stream=True)
        try:
            for chunk in stream:
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content
                finished = finished or bool(chunk.choices and chunk.choices[0].finish_reason)
        finally:
            stream.close()
        if not finished:
            raise self.Unfinished("a stream without a finish_reason")

    async def pieces_async(self, context, ask):
        async with client(context, AsyncOpenAI) as api:
            async for chunk in await api.chat.completions.create(
                    model=context.name, messages=[user(ask)], stream=True):
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content

    def status_of(self, error):
        return getattr(error, "status_code", None)

    def headers_of(self, error):
        return error.response.headers
