#!/usr/bin/env python3
"""TLS on both sides: what clients see of the listener, and how providers are verified."""

import shutil
import signal
import socket
import ssl
import warnings

from certificates import Authority, self_signed
from harness import (Stream, Weir, ask, ask_chat, chat, check, check_error, config, dialects, equal,
                     eventually, main, raw, test, work_folder)
from upstream import Upstream, server_tls


warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.1 is asked for on purpose


def listener(upstream, certificate, key, **more):
    return config(upstream, server={"tls": {"certificate": str(certificate), "key": str(key)}},
                  **more)


def trusting(authority, **options):
    context = ssl.create_default_context(cafile=authority.file)
    for name, value in options.items():
        setattr(context, name, value)
    return context


def handshake(port, context, session=None):
    plain = socket.create_connection(("127.0.0.1", port), timeout=60)
    return context.wrap_socket(plain, server_hostname="localhost", session=session)


def serial(port, context):
    with handshake(port, context) as connection:
        return connection.getpeercert()["serialNumber"]


@test
def clients_verify_the_listener_and_agree_on_a_version():
    folder = work_folder()
    authority = Authority(folder)
    certificate, key = authority.sign("server")
    with Upstream() as upstream, Weir(listener(upstream, certificate, key)) as weir:
        context = trusting(authority)
        for name, path, body in dialects():
            equal(ask(weir.port, path, body, tls=context).status, 200, name)
        stream = Stream(weir.port, chat(stream=True), tls=context)
        equal(stream.rest()[-1], "[DONE]", "the end of a stream")
        for offered, agreed in ((["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1")):
            context.set_alpn_protocols(offered)
            with handshake(weir.port, context) as connection:
                equal(connection.selected_alpn_protocol(), agreed, "ALPN")
                equal(connection.version(), "TLSv1.3", "version")
        older = trusting(authority, maximum_version=ssl.TLSVersion.TLSv1_2)
        with handshake(weir.port, older) as connection:
            equal(connection.version(), "TLSv1.2", "version")
    shutil.rmtree(folder)


@test
def old_versions_and_noise_are_refused_and_harm_nobody():
    folder = work_folder()
    authority = Authority(folder)
    with Upstream() as upstream, Weir(listener(upstream, *authority.sign("server"))) as weir:
        oldest = trusting(authority, maximum_version=ssl.TLSVersion.TLSv1_1,
                          minimum_version=ssl.TLSVersion.TLSv1)
        oldest.set_ciphers("ALL:@SECLEVEL=0")
        try:
            handshake(weir.port, oldest).close()
            raise AssertionError("TLS 1.1 was accepted")
        except (ssl.SSLError, ConnectionError):
            pass
        for noise in (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 70000,
                      b"\x80\x2e\x01\x03\x01", b"\0" * 4096, b""):
            with raw(weir.port, b"") as connection:
                try:
                    connection.sendall(noise)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
                except OSError:
                    pass
        equal(ask_chat(weir, tls=trusting(authority)).status, 200, "afterwards")
    shutil.rmtree(folder)


@test
def sessions_are_resumed_on_every_worker_and_across_reloads():
    folder = work_folder()
    authority = Authority(folder)
    with Upstream() as upstream, Weir(listener(upstream, *authority.sign("server"))) as weir:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = trusting(authority, maximum_version=version)
            def once(session):
                with handshake(weir.port, context, session) as connection:
                    connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
                    connection.recv(4096)  # in TLS 1.3 the ticket comes with the first data
                    return connection.session, connection.session_reused
            session, reused = once(None)
            check(not reused and session, f"{version}: the first handshake")
            for number in range(12):
                fresh, reused = once(session)
                check(reused, f"{version}: connection {number} was not resumed")
                if version == ssl.TLSVersion.TLSv1_3:
                    session = fresh
            equal(weir.admin("POST", "/api/v1/reload").status, 200, "reload")
            for number in range(12):
                fresh, reused = once(session)
                check(reused, f"{version}: connection {number} after the reload")
                if version == ssl.TLSVersion.TLSv1_3:
                    session = fresh
    shutil.rmtree(folder)


@test
def a_new_certificate_is_taken_up_and_a_running_stream_goes_on():
    folder = work_folder()
    authority = Authority(folder)
    certificate, key = authority.sign("server")
    context = trusting(authority)
    with Upstream() as upstream:
        gate = upstream.gate("slow")
        made = listener(upstream, certificate, key, models=("quick", "slow"))
        with Weir(made, errors=["reload_failed"]) as weir:
            first = serial(weir.port, context)
            stream = Stream(weir.port, chat("slow", stream=True), tls=context)
            check("first" in stream.next(), "the first delta")
            for source, target in zip(authority.sign("renewed"), (certificate, key)):
                shutil.copy(source, target)
            weir.signal(signal.SIGHUP)
            eventually(lambda: all(serial(weir.port, context) != first for _ in range(12)),
                       "the new certificate on every worker")
            second = serial(weir.port, context)
            # A file that does not fit its key changes nothing.
            shutil.copy(authority.sign("other")[1], key)
            equal(weir.admin("POST", "/api/v1/reload").status, 400, "reload with the wrong key")
            certificate.write_text("nonsense")
            equal(weir.admin("POST", "/api/v1/reload").status, 400, "reload with nonsense")
            equal({serial(weir.port, context) for _ in range(12)}, {second}, "certificates")
            gate.open()
            equal(stream.rest()[-1], "[DONE]", "the end of the stream")
    shutil.rmtree(folder)


def check_refused(weir, upstream, what):
    """Every dialect is told, in its form, and the ledger names TLS."""
    for name, path, body in dialects():
        answer = ask(weir.port, path, body)
        error = check_error(answer, name, 502)
        check("TLS" in error["message"], f"{what}: {error}")
        row = weir.row(answer)
        equal((row["outcome"], row["error_code"]), ("error", "upstream_tls"), f"{what}: the row")
        equal({attempt["e"] for attempt in row["attempts"]}, {"tls"}, f"{what}: the attempts")
        equal(row["usage"]["input"], 0, f"{what}: nothing was used")
    equal(upstream.calls, [], f"{what}: nothing may reach the provider")


@test
def a_provider_is_verified_by_the_accounts_authority():
    folder = work_folder()
    authority = Authority(folder)
    with Upstream(server_tls(*authority.sign("provider"))) as upstream:
        for host in ("localhost", "127.0.0.1"):
            made = config(upstream)
            made["accounts"][0]["endpoint"] = f"https://{host}:{upstream.port}/v1"
            made["accounts"][0]["tls"] = {"ca_file": str(authority.file)}
            with Weir(made) as weir:
                for name, path, body in dialects():
                    equal(ask(weir.port, path, body).status, 200, f"{host} {name}")
                check(weir.metrics()["weir_upstream_tls_handshakes_total"] >= 1, "handshakes")
    shutil.rmtree(folder)


@test
def certificates_that_do_not_hold_are_refused():
    folder = work_folder()
    authority = Authority(folder)
    other = Authority(folder, "other-authority")
    cases = {
        "self-signed": self_signed(folder),
        "another authority": other.sign("foreign"),
        "wrong host": authority.sign("elsewhere", "DNS:provider.example"),
        "wrong address": authority.sign("address", "IP:192.0.2.1"),
        "expired": authority.sign("expired", days=-1),
    }
    for what, pair in cases.items():
        with Upstream(server_tls(*pair)) as upstream:
            made = config(upstream)
            made["accounts"][0]["endpoint"] = f"https://localhost:{upstream.port}/v1"
            made["accounts"][0]["tls"] = {"ca_file": str(authority.file)}
            with Weir(made) as weir:
                check_refused(weir, upstream, what)
    shutil.rmtree(folder)


@test
def without_ca_file_the_systems_roots_hold_and_with_it_they_do_not():
    folder = work_folder()
    authority = Authority(folder)
    other = Authority(folder, "other-authority")
    system = {"SSL_CERT_FILE": str(authority.file)}
    with Upstream(server_tls(*authority.sign("provider"))) as upstream:
        made = config(upstream)
        made["accounts"][0]["endpoint"] = f"https://localhost:{upstream.port}/v1"
        with Weir(made, environment=system) as weir:
            equal(ask_chat(weir).status, 200, "the system's roots")
        made["accounts"][0]["tls"] = {"ca_file": str(other.file)}
        upstream.calls.clear()
        with Weir(made, environment=system) as weir:
            check_refused(weir, upstream, "ca_file stands in place of the system's roots")
    shutil.rmtree(folder)


@test
def verify_false_accepts_any_certificate():
    folder = work_folder()
    with Upstream(server_tls(*self_signed(folder))) as upstream:
        made = config(upstream)
        made["accounts"][0]["tls"] = {"verify": False}
        with Weir(made) as weir:
            equal(ask_chat(weir).status, 200, "status")
    shutil.rmtree(folder)


@test
def a_provider_that_speaks_no_tls_is_a_tls_failure():
    with Upstream() as upstream:
        made = config(upstream)
        made["accounts"][0]["endpoint"] = f"https://localhost:{upstream.port}/v1"
        with Weir(made) as weir:
            answer = ask_chat(weir)
            check_error(answer, "openai", 502)
            equal(weir.row(answer)["error_code"], "upstream_tls", "the row")


if __name__ == "__main__":
    main()
