"""What the contenders forward to: nginx with a fixed 1 KiB answer for whole calls, and the
simulator, which gives tokens at a pace, for streams. On the core of the client."""
import os
import subprocess
import sys
import time
import urllib.request

import contenders

sys.path.insert(0, str(contenders.ROOT / "bench" / "lib"))
import upstream as answers  # noqa: E402  (bench/lib)
import weir as weir_lib  # noqa: E402  (bench/lib)


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("$", "${dollar}") + "'"


def make_certificate(folder):
    """A P-256 certificate for 127.0.0.1 that signs itself, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-out", certificate, "-keyout", key],
                   check=True, capture_output=True)
    return certificate, key


class Whole:
    """nginx answers every chat call with one text and every messages call with another."""
    certificate = key = None

    def __init__(self, folder, core, tls=False):
        self.port = weir_lib.free_port()
        chat = answers.compact(answers.chat_whole())
        messages = answers.compact(answers.messages_whole())
        folder.mkdir()
        listen = with_tls = ""
        if tls:
            self.certificate, self.key = make_certificate(folder)
            listen = " ssl"
            with_tls = (f"ssl_certificate {self.certificate}; ssl_certificate_key {self.key}; "
                        "ssl_protocols TLSv1.3;")
        (folder / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 65536; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  geo $dollar {{ default "$"; }}
  default_type application/json;
  add_header x-request-id req_000000000000000000000000;
  add_header openai-processing-ms 5;
  add_header x-ratelimit-remaining-requests 9999;
  server {{
    listen 127.0.0.1:{self.port} backlog=4096{listen}; {with_tls}
    location /v1/chat/completions {{ return 200 {quoted(chat)}; }}
    location /v1/messages {{ return 200 {quoted(messages)}; }}
  }}
}}""")
        self.log = open(folder / "log", "wb")
        self.process = contenders.pinned(core, ["nginx", "-c", folder / "nginx.conf", "-p", folder],
                                         self.log)
        wait_for(self, "/v1/chat/completions")

    def close(self):
        contenders.stop(self.process)
        self.log.close()


class Streams:
    """`weir sim`, a token every `gap_ms`."""
    certificate = None

    def __init__(self, folder, core, tokens, gap_ms):
        self.port = weir_lib.free_port()
        folder.mkdir()
        self.log = open(folder / "log", "wb")
        self.process = contenders.pinned(
            core, [os.environ["WEIR_BIN"], "sim", "-q", "-l", f"127.0.0.1:{self.port}", "--token",
                   f"{gap_ms}ms", "--output-tokens", str(tokens), "--calls-max", "10"], self.log)
        wait_for(self, "/v1/models")

    def close(self):
        contenders.stop(self.process)
        self.log.close()


def wait_for(server, path):
    for _ in range(200):
        try:
            scheme = "https" if server.certificate else "http"
            with urllib.request.urlopen(f"{scheme}://127.0.0.1:{server.port}{path}", timeout=2,
                                        context=contenders.UNVERIFIED):
                return
        except OSError:
            if server.process.poll() is not None:
                break
            time.sleep(0.05)
    server.close()
    raise SystemExit(f"the upstream did not start: {server.process.args}")


def two_cores():
    """The contender's core and the other: two are needed."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("bench gateway needs two cores")
    return cores[0], cores[1]


def tool_versions():
    """One line a tool, as it says itself."""
    told = {}
    for name, command in {"nginx": ["nginx", "-v"], "haproxy": ["haproxy", "-v"],
                          "wrk": ["wrk", "-v"], "node": ["node", "--version"],
                          "weir": [os.environ["WEIR_BIN"], "version"]}.items():
        try:
            out = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError:
            continue
        told[name] = (out.stdout + out.stderr).strip().splitlines()[0][:120]
    return told
