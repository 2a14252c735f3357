"""Certificates for the tests, made by the openssl command: an authority and what it signs."""

import shutil
import subprocess

from harness import Failure, Skip


def openssl(*words, data=None):
    if shutil.which("openssl") is None:
        raise Skip("the openssl command is not installed")
    done = subprocess.run(["openssl", *map(str, words)], input=data, capture_output=True,
                          check=False)
    if done.returncode != 0:
        raise Failure(f"openssl {words[0]}: {done.stderr.decode()}")
    return done.stdout


class Authority:
    def __init__(self, folder, name="authority"):
        self.folder = folder
        self.file = folder / f"{name}.pem"
        self.key = folder / f"{name}.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.key, "-out", self.file, "-days", "30", "-subj", f"/CN={name}")

    def sign(self, name, hosts="DNS:localhost,IP:127.0.0.1", days=30):
        """(certificate, key) for those hosts. Negative days: it has expired."""
        key, request = self.folder / f"{name}.key", self.folder / f"{name}.csr"
        certificate, more = self.folder / f"{name}.pem", self.folder / f"{name}.ext"
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                key, "-out", request, "-subj", f"/CN={name}")
        more.write_text(f"subjectAltName={hosts}\n")
        openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.key,
                "-CAcreateserial", "-extfile", more, "-days", days, "-out", certificate)
        return certificate, key


def self_signed(folder, name="self"):
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", key, "-out", certificate, "-days", "30", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    return certificate, key
