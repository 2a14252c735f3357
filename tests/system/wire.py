"""Requests and answers byte by byte, for what no HTTP library would send."""

import json
import re
import socket

from harness import CLIENT_KEY, Failure, check, credentials, raw

MEGABYTE = 1 << 20


def read_answers(connection, count=None):
    """The answers on a raw connection until it ends, or so many: [(status, headers, body)]."""
    file = connection.makefile("rb")
    answers = []
    while count is None or len(answers) < count:
        try:
            line = file.readline()
        except ConnectionResetError:
            break
        if not line:
            break
        found = re.fullmatch(rb"HTTP/1\.[01] (\d{3}) .*\r\n", line)
        check(found, lambda: f"no status line: {line!r}")
        headers = {}
        while (field := file.readline().rstrip(b"\r\n")):
            name, _, value = field.partition(b":")
            headers[name.decode().lower()] = value.decode().strip()
        status = int(found.group(1))
        if status == 100:
            continue
        body = b""
        if headers.get("transfer-encoding") == "chunked":
            while (size := int(file.readline(), 16)) > 0:
                body += file.read(size)
                file.readline()
            file.readline()
        else:
            body = file.read(int(headers.get("content-length", 0)))
        answers.append((status, headers, body))
    return answers


def head(path="/v1/chat/completions", fields=(), method="POST", version="HTTP/1.1", key=CLIENT_KEY):
    lines = [f"{method} {path} {version}", "host: localhost"]
    lines += [f"{name}: {value}" for name, value in credentials(key, path).items()]
    return ("\r\n".join([*lines, *fields]) + "\r\n\r\n").encode("latin-1")


def request(body, path="/v1/chat/completions", fields=()):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head(path, (f"content-length: {len(data)}", "content-type: application/json",
                       *fields)) + data


def exchange(weir, data):
    with raw(weir.port, b"") as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return read_answers(connection)


class Answered:
    """What check_error() reads, of a raw answer."""

    def __init__(self, answer):
        self.status, self.headers, self.body = answer

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            raise Failure(f"no JSON: {self.status} {self.body[:300]}") from None

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


def pour(connection, size, piece=b"x" * MEGABYTE):
    """Sends so many bytes; False where the other side would not take them all."""
    try:
        while size > 0:
            connection.sendall(piece[:min(size, len(piece))])
            size -= min(size, len(piece))
        return True
    except OSError:
        return False
