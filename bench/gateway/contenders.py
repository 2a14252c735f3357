"""Who is compared: each a process (or several) that forwards to one upstream, pinned to one core.

A contender has a name, starts in a folder of its own, answers on `port`, and says with which path
and header fields it is asked. `pids()` are all its processes, for the kernel's account of them.
Where the upstream has a `certificate` (and its `key`), those that can speak TLS on both sides, with
that certificate for their clients, too.
"""
import os
import pathlib
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "bench" / "lib"))
import weir as weir_lib  # noqa: E402  (bench/lib)

PEERS = ROOT / "build" / "bench" / "peers"


# The benchmark's own certificate is for 127.0.0.1, and nobody else's business.
UNVERIFIED = ssl.create_default_context()
UNVERIFIED.check_hostname = False
UNVERIFIED.verify_mode = ssl.CERT_NONE


def pinned(core, command, log, **options):
    """Starts `command` on that core, in a process group of its own."""
    return subprocess.Popen(["taskset", "-c", str(core), *map(str, command)], stdout=log,
                            stderr=log, start_new_session=True, **options)


def tree(root):
    """A process and all below it."""
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                todo += map(int, task.read_text().split())
            except OSError:
                pass
    return found


def stop(process):
    """Ends the whole group that `pinned` made."""
    if process.poll() is not None:
        return
    for how, seconds in ((signal.SIGTERM, 15), (signal.SIGKILL, 15)):
        try:
            os.killpg(process.pid, how)
        except ProcessLookupError:
            return
        try:
            process.wait(seconds)
            return
        except subprocess.TimeoutExpired:
            pass


class Contender:
    name = ""
    version = ""
    model = "bench-model-2025"   # what the request asks for
    key = "sk-upstream"
    fields = ()                  # further header fields
    path = "/v1/chat/completions"
    speaks_tls = False

    def __init__(self):
        self.port = weir_lib.free_port()
        self.process = None
        self.log = None
        self.scheme = "http"

    def missing(self):
        """Why it cannot run here, or None."""
        return None

    def start(self, folder, upstream, core):
        self.scheme = "https" if upstream.certificate else "http"
        self.log = open(folder / "log", "wb")
        self.process = pinned(core, self.command(folder, upstream), self.log, cwd=folder,
                              env={**os.environ, **self.environment()})
        began = time.monotonic()
        while time.monotonic() - began < 120:
            if self.answers():
                return time.monotonic() - began
            if self.process.poll() is not None:
                break
            time.sleep(0.002)
        text = (folder / "log").read_text(errors="replace")[-1500:]
        self.close()
        raise SystemExit(f"{self.name} did not start: {text}")

    def answers(self):
        request = urllib.request.Request(
            f"{self.scheme}://127.0.0.1:{self.port}{self.path}",
            data=weir_lib.request_body(self.model, False), headers=dict(self.headers()))
        try:
            with urllib.request.urlopen(request, timeout=10, context=UNVERIFIED) as answer:
                return answer.status == 200 and b"choices" in answer.read()
        except OSError:
            return False

    def headers(self):
        return [("accept", "application/json"), ("content-type", "application/json"),
                ("user-agent", "OpenAI/Python 2.8.0"), ("x-stainless-lang", "python"),
                ("x-stainless-runtime", "CPython"), ("authorization", f"Bearer {self.key}"),
                *self.fields]

    def command(self, folder, upstream):
        raise NotImplementedError

    def environment(self):
        return {}

    def pids(self):
        return tree(self.process.pid)

    def close(self):
        if self.process:
            stop(self.process)
        if self.log:
            self.log.close()


class Direct(Contender):
    """No gateway: what client and upstream take by themselves."""
    name = "direct"

    def start(self, folder, upstream, core):
        self.port = upstream.port
        return 0.0

    def pids(self):
        return []


class Nginx(Contender):
    name = "nginx"
    version = "bare reverse proxy, one worker"
    speaks_tls = True

    def missing(self):
        return None if shutil.which("nginx") else "nginx is not installed (Debian package nginx)"

    def command(self, folder, upstream):
        listen = tls = ""
        if upstream.certificate:
            listen = " ssl"
            tls = (f"ssl_certificate {upstream.certificate}; ssl_certificate_key {upstream.key}; "
                   f"proxy_ssl_trusted_certificate {upstream.certificate}; proxy_ssl_verify on; "
                   "proxy_ssl_protocols TLSv1.3; ssl_protocols TLSv1.3; proxy_ssl_name 127.0.0.1; ")
        (folder / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 65536; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_requests 1000000000; keepalive_timeout 600s; client_body_buffer_size 64k;
  upstream provider {{ server 127.0.0.1:{upstream.port}; keepalive 512;
                       keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{self.port} backlog=4096{listen}; {tls}
    location / {{ proxy_pass {self.scheme}://provider; proxy_http_version 1.1;
                  proxy_set_header Connection ""; proxy_buffering off; }}
  }}
}}""")
        return ["nginx", "-c", folder / "nginx.conf", "-p", folder]


class HaProxy(Contender):
    name = "haproxy"
    version = "bare reverse proxy, one thread"

    def missing(self):
        return None if shutil.which("haproxy") else "haproxy is not installed (Debian package)"

    def command(self, folder, upstream):
        (folder / "haproxy.cfg").write_text(f"""
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 120s
  timeout server 120s
  http-reuse always
  option http-no-delay
frontend in
  bind 127.0.0.1:{self.port}
  default_backend provider
backend provider
  server one 127.0.0.1:{upstream.port}
""")
        return ["haproxy", "-db", "-f", folder / "haproxy.cfg"]


class BareRelay(Contender):
    name = "weir bare relay"
    version = "server and client of Weir, nothing else"

    def missing(self):
        program = pathlib.Path(os.environ["WEIR_BIN"]).with_name("weir-bare-relay")
        return None if program.exists() else "weir-bare-relay is not built"

    def command(self, folder, upstream):
        program = pathlib.Path(os.environ["WEIR_BIN"]).with_name("weir-bare-relay")
        return [program, self.port, f"http://127.0.0.1:{upstream.port}"]


class Governed(Contender):
    name = "weir governed"
    version = "key, three limits, budget, cost, ledger row, metrics"
    model = "same"
    key = weir_lib.KEY
    speaks_tls = True

    def command(self, folder, upstream):
        config = weir_lib.CONFIG.format(
            listen=self.port, admin=weir_lib.free_port(), data=folder / "data",
            upstream=upstream.port, key=weir_lib.KEY)
        if upstream.certificate:
            config = config.replace("http://", "https://").replace(
                "workers: 1", f"workers: 1, tls: {{ certificate: {upstream.certificate}, "
                f"key: {upstream.key} }}").replace(
                ", provider: ", f", tls: {{ ca_file: {upstream.certificate} }}, provider: ")
        (folder / "weir.yaml").write_text(config)
        return [os.environ["WEIR_BIN"], "serve", "-c", folder / "weir.yaml"]


class Translated(Governed):
    name = "weir translated"
    version = "the same, chat to messages"
    model = "translated"


class LiteLlm(Contender):
    name = "litellm"
    version = "one worker, a master key, no database"
    key = "sk-bench-master"

    def missing(self):
        program = PEERS / "python" / "bin" / "litellm"
        return None if program.exists() else "not installed; see --install-peers"

    def command(self, folder, upstream):
        (folder / "litellm.yaml").write_text(f"""
model_list:
  - model_name: bench-model-2025
    litellm_params:
      model: openai/bench-model-2025
      api_base: http://127.0.0.1:{upstream.port}/v1
      api_key: k
general_settings: {{ master_key: {self.key} }}
litellm_settings: {{ num_retries: 0, request_timeout: 120 }}
""")
        return [PEERS / "python" / "bin" / "litellm", "--config", folder / "litellm.yaml", "--host",
                "127.0.0.1", "--port", self.port, "--num_workers", "1"]

    def environment(self):
        return {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                "LITELLM_TELEMETRY": "False"}


class Portkey(Contender):
    name = "portkey"
    version = "@portkey-ai/gateway, one process"

    def missing(self):
        script = PEERS / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
        return None if script.exists() else "not installed; see --install-peers"

    def start(self, folder, upstream, core):
        self.fields = (("x-portkey-provider", "openai"),
                       ("x-portkey-custom-host", f"http://127.0.0.1:{upstream.port}/v1"))
        return super().start(folder, upstream, core)

    def command(self, folder, upstream):
        script = PEERS / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
        return ["node", script, f"--port={self.port}", "--headless"]

    def environment(self):
        return {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"}


ALL = [Direct, Nginx, HaProxy, BareRelay, Governed, Translated, Portkey, LiteLlm]


def install_peers(log):
    """What the package registries have, into build/bench/peers. Says what could not be had."""
    PEERS.mkdir(parents=True, exist_ok=True)
    steps = {
        "litellm": [["python3", "-m", "venv", PEERS / "python"],
                    [PEERS / "python" / "bin" / "pip", "install", "-q", "litellm[proxy]==1.106.2"]],
        "portkey": [["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", PEERS,
                     "@portkey-ai/gateway@1.15.2"]],
    }
    for name, commands in steps.items():
        for command in commands:
            ended = subprocess.run(list(map(str, command)), capture_output=True, text=True,
                                   check=False)
            if ended.returncode != 0:
                log(f"{name} cannot be installed: {ended.stderr.strip()[-300:]}")
                break
