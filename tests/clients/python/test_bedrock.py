"""Amazon's own SDK as the judge: it signs, frames and reads for itself. `weir sim` must be Bedrock
to it, and what the gateway signs must be what it would have signed."""

import http.server
import json
import pathlib
import shutil
import tempfile
import threading
import unittest
import urllib.request

import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.eventstream
import botocore.exceptions
import botocore.session

from world import Program, World, until

KEY = {"access_key_id": "AKIDCLIENTS", "secret_access_key": "secret-of-the-clients",
       "session_token": "token/of+the=session"}
NOVA = "amazon.nova-pro-v1:0"
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
SAID = [{"role": "user", "content": [{"text": "Tell me a word"}]}]
BODY = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 64,
        "messages": [{"role": "user", "content": "Tell me a word"}]}


def client_of(url, secret=KEY["secret_access_key"]):
    return botocore.session.get_session().create_client(
        "bedrock-runtime", region_name="us-east-1", endpoint_url=url,
        aws_access_key_id=KEY["access_key_id"], aws_secret_access_key=secret,
        aws_session_token=KEY["session_token"],
        config=botocore.config.Config(retries={"total_max_attempts": 1}))


class Simulator(unittest.TestCase):
    """The SDK at `weir sim`, which verifies its signatures."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-bedrock-"))
        file = cls.folder / "sim.json"
        file.write_text(json.dumps({"aws": KEY}), encoding="utf-8")
        cls.sim = Program(["sim", "--listen", "127.0.0.1:0", "--file", str(file)],
                          cls.folder / "sim.log")
        cls.url = cls.sim.wait_for("weir sim", lambda text: next(
            (word for word in text.split() if word.startswith("http://127.0.0.1:")), None))
        cls.client = client_of(cls.url)

    @classmethod
    def tearDownClass(cls):
        code = cls.sim.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)
        assert code == 0, f"weir sim ended with {code}"

    def test_converse(self):
        for model in (NOVA, CLAUDE, PROFILE):
            with self.subTest(model):
                whole = self.client.converse(modelId=model, messages=SAID)
                text = whole["output"]["message"]["content"][0]["text"]
                self.assertEqual(whole["stopReason"], "end_turn")
                events = list(self.client.converse_stream(modelId=model, messages=SAID)["stream"])
                self.assertIn("messageStart", events[0])
                self.assertIn("metadata", events[-1])
                self.assertEqual(text, "".join(
                    event["contentBlockDelta"]["delta"]["text"] for event in events
                    if "contentBlockDelta" in event))
                self.assertEqual(events[-1]["metadata"]["usage"], whole["usage"])

    def test_tools(self):
        tool = {"toolSpec": {"name": "get_weather", "inputSchema": {"json": {
            "type": "object", "properties": {"city": {"type": "string"}},
            "required": ["city"]}}}}
        asked = {"modelId": NOVA, "messages": SAID,
                 "toolConfig": {"tools": [tool], "toolChoice": {"any": {}}}}
        use = self.client.converse(**asked)["output"]["message"]["content"][-1]["toolUse"]
        self.assertEqual(use["name"], "get_weather")
        self.assertIn("city", use["input"])
        pieces, reason = "", ""
        for event in self.client.converse_stream(**asked)["stream"]:
            delta = event.get("contentBlockDelta", {}).get("delta", {})
            pieces += delta.get("toolUse", {}).get("input", "")
            reason = event.get("messageStop", {}).get("stopReason", reason)
        self.assertEqual((json.loads(pieces), reason), (use["input"], "tool_use"))

    def test_invoke(self):
        body = json.dumps(BODY)
        whole = json.load(self.client.invoke_model(modelId=CLAUDE, body=body)["body"])
        stream = self.client.invoke_model_with_response_stream(modelId=CLAUDE, body=body)["body"]
        events = [json.loads(event["chunk"]["bytes"]) for event in stream]
        self.assertEqual((events[0]["type"], events[-1]["type"]),
                         ("message_start", "message_stop"))
        self.assertEqual(whole["content"][0]["text"], "".join(
            event["delta"]["text"] for event in events
            if event["type"] == "content_block_delta"))

    def test_count_tokens(self):
        counted = self.client.count_tokens(
            modelId="anthropic.claude-sonnet-4-5-20250929-v1:0",
            input={"invokeModel": {"body": json.dumps(BODY)}})
        self.assertGreater(counted["inputTokens"], 0)

    def test_errors(self):
        wrong = client_of(self.url, "another-secret")
        with self.assertRaises(botocore.exceptions.ClientError) as refused:
            wrong.converse(modelId=NOVA, messages=SAID)
        self.assertEqual(refused.exception.response["ResponseMetadata"]["HTTPStatusCode"], 403)
        rule = json.dumps({"times": 1, "fault": {"kind": "error_event", "status": 429,
                                                 "after_events": 2}}).encode()
        urllib.request.urlopen(f"{self.url}/sim/v1/script", data=rule).close()
        with self.assertRaises(botocore.exceptions.EventStreamError) as broken:
            list(self.client.converse_stream(modelId=NOVA, messages=SAID)["stream"])
        self.assertEqual(broken.exception.response["Error"]["Code"], "throttlingException")
        rule = json.dumps({"times": 1, "fault": {"kind": "status", "status": 429}}).encode()
        urllib.request.urlopen(f"{self.url}/sim/v1/script", data=rule).close()
        with self.assertRaises(self.client.exceptions.ThrottlingException):
            self.client.converse(modelId=NOVA, messages=SAID)


class Catcher(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.caught.append((self.path, dict(self.headers.items()), body))
        answer = json.dumps({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
            "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn",
            "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
        } if "/invoke" in self.path else {
            "output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}},
            "stopReason": "end_turn", "metrics": {"latencyMs": 1},
            "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Gateway(unittest.TestCase):
    """What the gateway signs, signed again by the SDK at the same moment."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-bedrock-"))
        cls.upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Catcher)
        cls.upstream.caught = []
        threading.Thread(target=cls.upstream.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{cls.upstream.server_port}"
        config = cls.folder / "weir.yaml"
        config.write_text("\n".join([
            'server: { listen: "127.0.0.1:0", workers: 1, drain: 2s }',
            'admin: { listen: "127.0.0.1:0" }',
            "accounts:",
            f'  - {{ name: a, provider: bedrock, region: us-east-1, endpoint: "{url}",',
            f'      access_key_id: {KEY["access_key_id"]},',
            f'      secret_access_key: {KEY["secret_access_key"]},',
            f'      session_token: "{KEY["session_token"]}",',
            '      headers: { x-amzn-bedrock-guardrailidentifier: "gr-1" } }',
            "models:",
            f'  - {{ name: nova, deployments: [{{ account: a, model: "{NOVA}" }}] }}',
            f'  - {{ name: claude, deployments: [{{ account: a, model: "{CLAUDE}" }}] }}',
            f'  - {{ name: profile, deployments: [{{ account: a, model: "{PROFILE}",',
            "      base_model: amazon.nova-pro-v1:0 }] }",
        ]) + "\n", encoding="utf-8")
        cls.weir = Program(["serve", "--quiet", "-c", str(config), "--data-dir",
                            str(cls.folder / "data")], cls.folder / "weir.log")
        cls.url = cls.weir.wait_for("weir serve", World._find_started)["listen"]

    @classmethod
    def tearDownClass(cls):
        code = cls.weir.stop()
        cls.upstream.shutdown()
        cls.upstream.server_close()
        shutil.rmtree(cls.folder, ignore_errors=True)
        assert code == 0, f"weir serve ended with {code}"

    def sign(self, path, headers, body):
        """The authorization header that botocore gives to the same request at the same second."""
        auth = botocore.auth.SigV4Auth(
            botocore.credentials.Credentials(
                KEY["access_key_id"], KEY["secret_access_key"], KEY["session_token"]),
            "bedrock", "us-east-1")
        signed = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
        request = botocore.awsrequest.AWSRequest(
            method="POST", url=f"http://{headers['host']}{path}", data=body,
            headers={name: headers[name] for name in signed if name != "host"})
        request.context["timestamp"] = headers["x-amz-date"]
        text = auth.string_to_sign(request, auth.canonical_request(request))
        return signed, auth.signature(text, request)

    def test_signatures(self):
        asked = {"messages": [{"role": "user", "content": "Grüße"}], "max_tokens": 9}
        for model, name in (("nova", NOVA), ("claude", CLAUDE), ("profile", PROFILE)):
            with self.subTest(model):
                request = urllib.request.Request(
                    f"{self.url}/v1/chat/completions", data=json.dumps(
                        {"model": model, **asked}, ensure_ascii=False).encode(),
                    headers={"content-type": "application/json"})
                with urllib.request.urlopen(request, timeout=20) as reply:
                    said = json.load(reply)
                self.assertEqual(said["choices"][0]["message"]["content"], "hi")
                path, headers, body = until("the request", lambda: next(iter(
                    caught for caught in reversed(self.upstream.caught)), None))
                headers = {key.lower(): value for key, value in headers.items()}
                way = "invoke" if model == "claude" else "converse"
                self.assertEqual(
                    path, f"/model/{urllib.request.quote(name, safe='')}/{way}")
                signed, signature = self.sign(path, headers, body)
                self.assertLessEqual({"host", "x-amz-date", "x-amz-security-token",
                                      "x-amzn-bedrock-guardrailidentifier"}, set(signed))
                self.assertEqual(headers["authorization"].split("Signature=")[1], signature)
