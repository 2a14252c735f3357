#!/usr/bin/env python3
"""A disk that fails: traffic goes on, rows wait, and metrics and log say so."""

import json
import os
import pathlib
import resource
import shutil
import sqlite3
import subprocess
import sys

from harness import (Failure, Skip, Weir, ask, ask_chat, check, config, equal, eventually, main,
                     query, test, work_folder)
from upstream import Upstream

PROBLEM_EVENTS = ["ledger_store_failed", "audit_unwritten", "audit_unwritable"]

# Run inside of Weir's mounts: rows of all days, and what is wrong with any file.
COUNT_ROWS = """
import json, pathlib, sqlite3, sys
rows, problems = 0, []
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.db")):
    connection = sqlite3.connect(path, timeout=60)
    if path.name.startswith("requests-"):
        rows += connection.execute("SELECT count(*) FROM request").fetchone()[0]
    answer = connection.execute("PRAGMA integrity_check").fetchall()
    if answer != [("ok",)]:
        problems.append([path.name, answer])
print(json.dumps([rows, problems]))
"""


class Disk:
    """A file system of its own below a folder, seen by Weir alone: unshare makes the mount private,
    and it goes with the process."""

    def __init__(self, folder, megabytes):
        if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "mount", "nsenter"))):
            raise Skip("mounting a small disk needs root, unshare and nsenter")
        self.at = folder / "disk"
        self.at.mkdir()
        mount = f"mount -t tmpfs -o size={megabytes}m weir-test {self.at}"
        probe = subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True,
                               check=False)
        if probe.returncode != 0:
            raise Skip(f"this machine does not mount a tmpfs: {probe.stderr.decode().strip()}")
        # exec keeps one process, the one to be signalled.
        self.wrapper = ["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "sh"]
        self.weir = None

    def path(self, name=""):
        """As Weir sees it: /proc/PID/root goes through its mounts."""
        return pathlib.Path(f"/proc/{self.weir.pid}/root{self.at}") / name

    def fill(self):
        with open(self.path("filler"), "wb") as filler:
            try:
                for size in (1 << 20, 1 << 12, 1):
                    try:
                        while True:
                            os.write(filler.fileno(), b"\0" * size)
                    except OSError:
                        continue
            finally:
                os.fsync(filler.fileno())


class Served:
    """Weir with its data on such a disk."""

    def __init__(self, upstream, megabytes=8, **more):
        self.folder = work_folder()
        self.disk = Disk(self.folder, megabytes)
        made = {**config(upstream, **more), "data_dir": str(self.disk.at / "data")}
        self.weir = Weir(made, folder=self.folder, wrapper=self.disk.wrapper,
                         errors=PROBLEM_EVENTS)
        self.disk.weir = self.weir

    def rows(self):
        """Counted in the files as Weir sees them; every file must be whole."""
        done = subprocess.run(["nsenter", "-t", str(self.weir.pid), "-m", sys.executable, "-c",
                               COUNT_ROWS, str(self.disk.at / "data")], capture_output=True,
                              text=True, check=True)
        rows, problems = json.loads(done.stdout)
        equal(problems, [], "integrity")
        return rows

    def __enter__(self):
        self.weir.__enter__()
        return self

    def __exit__(self, *problem):
        self.weir.__exit__(*problem)
        shutil.rmtree(self.folder, ignore_errors=True)


def ask_many(weir, count):
    for number in range(count):
        equal(ask_chat(weir).status, 200, f"request {number} with a failing disk")


def check_reported(weir):
    """Failing is told by metric, status and log; the rows wait."""
    eventually(lambda: weir.metrics()["weir_ledger_ok"] == 0, "weir_ledger_ok 0")
    # The disk is tried every second, also while no row is written.
    eventually(lambda: weir.metrics()["weir_ledger_store_errors_total"] > 0, "errors are counted")
    eventually(lambda: weir.metrics()["weir_ledger_rows_spooled"] > 0, "rows wait in the spool")
    equal(readyz(weir), ["ledger"], "what a load balancer can see")
    status = weir.admin("GET", "/api/v1/status").json()["ledger"]
    check(not status["ok"] and status["problem"], f"status: {status}")
    eventually(lambda: any(line["level"] in ("error", "warn") and "ledger" in line["event"]
                           for line in weir.lines()), "the log tells")


def check_recovered(weir, rows, total):
    eventually(lambda: weir.metrics()["weir_ledger_ok"] == 1, "weir_ledger_ok 1")
    eventually(lambda: weir.metrics()["weir_ledger_rows_spooled"] == 0, "nothing waits")
    eventually(lambda: rows() == total, f"{total} rows, none lost and none twice")
    equal(weir.metrics()["weir_ledger_rows_dropped_total"], 0, "rows dropped")


@test
def a_full_disk_stops_no_traffic_and_no_row_is_lost():
    with Upstream() as upstream, Served(upstream) as served:
        weir = served.weir
        ask_many(weir, 20)
        eventually(lambda: served.rows() == 20, "the first rows")
        served.disk.fill()
        total = 20
        while weir.metrics()["weir_ledger_ok"] == 1 and total < 5000:
            ask_many(weir, 20)
            total += 20
        check_reported(weir)
        ask_many(weir, 50)
        total += 50
        served.disk.path("filler").unlink()
        check_recovered(weir, served.rows, total)


@test
def files_that_may_not_grow_stop_no_traffic():
    """The same by a limit of the process, which needs no rights; the kernel would end it with
    SIGXFSZ where that signal is not ignored."""
    with Upstream() as upstream, Weir(config(upstream), errors=PROBLEM_EVENTS) as weir:
        def rows():
            return sum(query(path, "SELECT count(*) FROM request")[0][0]
                       for path in weir.databases())
        ask_many(weir, 20)
        eventually(lambda: rows() == 20, "the first rows")
        resource.prlimit(weir.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        ask_many(weir, 50)
        check_reported(weir)
        resource.prlimit(weir.pid, resource.RLIMIT_FSIZE,
                         (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        check_recovered(weir, rows, 70)


@test
def a_key_that_cannot_be_stored_is_not_given_out():
    with Upstream() as upstream, Served(upstream) as served:
        weir = served.weir
        served.disk.fill()
        refused = None
        for number in range(500):
            refused = weir.admin("POST", "/api/v1/keys", {"name": f"k{number}" + "x" * 100})
            if refused.status != 201:
                break
        check(refused.status >= 500, f"a key on a full disk: {refused}")
        check("key" not in refused.json(), f"a key was given out: {refused}")
        served.disk.path("filler").unlink()
        made = eventually(lambda: (a := weir.admin("POST", "/api/v1/keys", {"name": "later"}))
                          .status == 201 and a, "a key when there is room again").json()
        eventually(lambda: ask_chat(weir, key=made["key"]).status == 200, "that key")


@test
def a_lost_data_dir_stops_no_traffic():
    errors = [*PROBLEM_EVENTS, "ledger_rows_lost_at_stop"]
    with Upstream() as upstream, Weir(config(upstream), errors=errors) as weir:
        equal(ask_chat(weir).status, 200, "before")
        shutil.rmtree(weir.data)
        # What was on its way into the removed file is gone with it; then the loss is noticed.
        def noticed():
            ask_many(weir, 10)
            return weir.metrics()["weir_ledger_ok"] == 0
        eventually(noticed, "weir_ledger_ok 0")
        ask_many(weir, 10)
        check_reported(weir)


def readyz(weir):
    answer = ask(weir.port, "/readyz", method="GET")
    equal(answer.status, 200, "a store that fails takes nobody out")
    return answer.json().get("degraded", [])


@test
def a_locked_file_stops_no_traffic():
    """Somebody else holds the day's file, as a backup that went wrong does."""
    with Upstream() as upstream, Weir(config(upstream), errors=PROBLEM_EVENTS) as weir:
        def rows():
            return sum(query(path, "SELECT count(*) FROM request")[0][0]
                       for path in weir.databases())
        ask_many(weir, 20)
        eventually(lambda: rows() == 20, "the first rows")
        holder = sqlite3.connect(weir.databases()[0], isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        made = weir.admin("POST", "/api/v1/keys", {"name": "meanwhile"}).json()
        ask_many(weir, 30)
        equal(ask_chat(weir, key=made["key"]).status, 200, "a key that was made meanwhile")
        check_reported(weir)
        equal(readyz(weir), ["ledger"], "what a load balancer can see")
        holder.execute("ROLLBACK")
        holder.close()
        check_recovered(weir, rows, 51)
        equal(readyz(weir), [], "afterwards")


# Loaded before the C library: below WEIR_READ_ONLY_DIR every change fails as on a file system that
# went read-only, while the file WEIR_READ_ONLY_FLAG is there.
READ_ONLY = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int below(const char *path) {
  const char *dir = getenv("WEIR_READ_ONLY_DIR");
  return dir && path && !strncmp(path, dir, strlen(dir)) &&
         access(getenv("WEIR_READ_ONLY_FLAG"), F_OK) == 0;
}
static int fd_below(int fd) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size <= 0) return 0;
  path[size] = 0;
  return below(path);
}
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define REFUSE(condition) if (condition) { errno = EROFS; return -1; }
#define WRITES(flags) (((flags) & O_ACCMODE) != O_RDONLY || ((flags) & O_CREAT))
int open(const char *path, int flags, ...) {
  va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest);
  REFUSE(WRITES(flags) && below(path));
  return NEXT(open)(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest);
  REFUSE(WRITES(flags) && below(path));
  return NEXT(open64)(path, flags, mode);
}
ssize_t write(int fd, const void *b, size_t n) {
  REFUSE(fd_below(fd));
  return NEXT(write)(fd, b, n);
}
ssize_t pwrite(int fd, const void *b, size_t n, off_t at) {
  REFUSE(fd_below(fd));
  return NEXT(pwrite)(fd, b, n, at);
}
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t at) {
  REFUSE(fd_below(fd));
  return NEXT(pwrite64)(fd, b, n, at);
}
int ftruncate(int fd, off_t n) { REFUSE(fd_below(fd)); return NEXT(ftruncate)(fd, n); }
int ftruncate64(int fd, off64_t n) { REFUSE(fd_below(fd)); return NEXT(ftruncate64)(fd, n); }
int unlink(const char *path) { REFUSE(below(path)); return NEXT(unlink)(path); }
int rename(const char *from, const char *to) { REFUSE(below(to)); return NEXT(rename)(from, to); }
"""


@test
def a_data_folder_that_goes_read_only_stops_no_traffic():
    compiler = shutil.which("cc") or shutil.which("clang-19")
    if not compiler:
        raise Skip("there is no C compiler to make the fault with")
    folder = work_folder()
    (folder / "fault.c").write_text(READ_ONLY)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", folder / "fault.so", folder / "fault.c",
                    "-ldl"], check=True)
    flag = folder / "read-only"
    environment = {"LD_PRELOAD": str(folder / "fault.so"), "WEIR_READ_ONLY_FLAG": str(flag),
                   "WEIR_READ_ONLY_DIR": str(folder / "data")}
    with Upstream() as upstream, Weir(config(upstream), folder=folder, errors=PROBLEM_EVENTS,
                                      environment=environment) as weir:
        def rows():
            return sum(query(path, "SELECT count(*) FROM request")[0][0]
                       for path in weir.databases())
        made = weir.admin("POST", "/api/v1/keys", {"name": "before"}).json()
        ask_many(weir, 20)
        eventually(lambda: rows() == 20, "the first rows")
        flag.touch()
        ask_many(weir, 40)
        equal(ask_chat(weir, key=made["key"]).status, 200, "a made key")
        check_reported(weir)
        equal(readyz(weir), ["ledger"], "what a load balancer can see")
        refused = weir.admin("POST", "/api/v1/keys", {"name": "meanwhile"})
        check(refused.status >= 500 and "key" not in refused.json(), f"a key: {refused}")
        flag.unlink()
        check_recovered(weir, rows, 61)
        equal(readyz(weir), [], "afterwards")
        equal(weir.admin("POST", "/api/v1/keys", {"name": "later"}).status, 201, "a key again")
    shutil.rmtree(folder, ignore_errors=True)


@test
def a_file_system_that_the_kernel_gave_up_stops_no_traffic():
    """As after an error of the device: the kernel makes it read-only for good."""
    folder = work_folder()
    disk = Disk(folder, 1)
    image = folder / "image"
    with open(image, "wb") as file:
        file.truncate(64 << 20)
    mount = f"mount -o loop {image} {disk.at}"
    probe = shutil.which("mkfs.ext4") and subprocess.run(
        ["unshare", "-m", "sh", "-c", f"mkfs.ext4 -q -F {image} && {mount}"], capture_output=True,
        check=False)
    if not probe or probe.returncode != 0:
        raise Skip("this machine does not mount an image of ext4")
    wrapper = ["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "sh"]
    with Upstream() as upstream:
        made = {**config(upstream), "data_dir": str(disk.at / "data")}
        weir = Weir(made, folder=folder, wrapper=wrapper, errors=PROBLEM_EVENTS)
        try:
            ask_many(weir, 20)
            eventually(lambda: weir.metrics()["weir_ledger_rows_spooled"] == 0, "the first rows")
            subprocess.run(["nsenter", "-t", str(weir.pid), "-m", "mount", "-o", "remount,abort",
                            str(disk.at)], check=True)
            ask_many(weir, 100)
            check_reported(weir)
            equal(readyz(weir), ["ledger"], "what a load balancer can see")
            equal(weir.metrics()["weir_ledger_rows_dropped_total"], 0, "rows dropped")
        finally:
            weir.kill()
    shutil.rmtree(folder, ignore_errors=True)


@test
def a_disk_that_cannot_be_written_at_the_start_is_said():
    for name, prepare in [("full", "dd if=/dev/zero of={at}/filler bs=4k 2>/dev/null"),
                          ("read-only", "mkdir {at}/data; mount -o remount,ro {at}")]:
        with Upstream() as upstream:
            folder = work_folder()
            disk = Disk(folder, 1)
            shell = disk.wrapper[-2].replace("exec", prepare.format(at=disk.at) + "; exec")
            made = {**config(upstream), "data_dir": str(disk.at / "data")}
            try:
                Weir(made, folder=folder, wrapper=[*disk.wrapper[:-2], shell, "sh"]).kill()
            except Failure as why:
                check("ended with 1" in str(why) and str(disk.at) in str(why),
                      f"{name}: what it says: {why}")
            else:
                raise Failure(f"{name}: it started")
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
