# SPDX-License-Identifier: BSD-3-Clause
"""Child processes with a log file, started in a namespace where wanted, that cannot outlive us."""
import ctypes
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

PR_SET_PDEATHSIG = 1
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error: |"
                       r"SUMMARY: \w+Sanitizer")
# Sanitized programs report and fail; others ignore these.
SANITIZER_ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=1:exitcode=99:abort_on_error=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
    "TSAN_OPTIONS": "exitcode=99:second_deadlock_stack=1",
}

_libc = ctypes.CDLL(None, use_errno=True)


class LabError(AssertionError):
    """Something the laboratory waited for did not happen; the text says what and shows the log."""


def root():
    """The top folder of the source tree."""
    return pathlib.Path(__file__).resolve().parents[2]


def build_folder():
    """The build folder under test: VSW_BUILD, or build/."""
    return pathlib.Path(os.environ.get("VSW_BUILD", root() / "build")).resolve()


def program(name):
    """Path of one of our programs, or None where it is not built."""
    for place in ("", *(f"src/{folder}" for folder in ("daemon", "cli", "nic"))):
        path = build_folder() / place / name
        if path.is_file() and os.access(path, os.X_OK):
            return path
    return None


def sanitized():
    """True where the programs under test are instrumented (and so slower and larger)."""
    options = build_folder() / "meson-info" / "intro-buildoptions.json"
    try:
        text = options.read_text()
    except OSError:
        return False
    match = re.search(r'"name": "b_sanitize", "value": "([^"]*)"', text)
    return bool(match) and match.group(1) != "none"


def missing(*names):
    """Those of the named external programs that this machine has not."""
    return [name for name in names if not shutil.which(name, path=os.environ["PATH"] +
                                                       ":/usr/sbin:/sbin")]


def wait_for(condition, timeout, what, pause=0.02):
    """Calls condition() until it is true and returns its value; LabError(what) after timeout s."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError(f"{what}: did not happen within {timeout} s")
        time.sleep(pause)


def die_with_parent():
    """In a child before exec: be killed when the parent goes away, and take no terminal signal."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()


class Directory:
    """A private folder with a path short enough for unix sockets, removed at close()."""

    def __init__(self, prefix="vsw-"):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))

    def close(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Process:
    """One child. stdout and stderr go to `log` (a path) unless stdio is given.

    netns: a Namespace to run in. cpus: a list of CPU numbers to be bound to.
    """

    def __init__(self, name, command, log, netns=None, cpus=None, env=None, stdin=None,
                 stdout=None, stderr=None):
        self.name = name
        self.log_path = pathlib.Path(log)
        self.command = [str(word) for word in command]
        full = ([] if netns is None else netns.prefix()) + self.command
        if cpus is not None:
            full = ["taskset", "-c", ",".join(map(str, cpus))] + full
        with open(self.log_path, "ab") as out:
            self.child = subprocess.Popen(
                full, stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=out if stdout is None else stdout,
                stderr=out if stderr is None else stderr,
                preexec_fn=die_with_parent,
                env={**os.environ, **SANITIZER_ENVIRONMENT, **(env or {})})

    @property
    def pid(self):
        return self.child.pid

    def alive(self):
        return self.child.poll() is None

    def log(self):
        """What it has written so far."""
        return self.log_path.read_text(errors="replace")

    def wait_log(self, pattern, timeout=10, count=1):
        """Waits until `pattern` matched `count` times in the log; the last match."""
        def look():
            found = list(re.finditer(pattern, self.log(), re.M))
            if len(found) >= count:
                return found[count - 1]
            if not self.alive():
                raise LabError(f"{self.name} ended with status {self.child.returncode} before "
                               f"saying /{pattern}/:\n{self.log()[-3000:]}")
            return None
        try:
            return wait_for(look, timeout, f"{self.name}: /{pattern}/")
        except LabError as error:
            raise LabError(f"{error}\n{self.log()[-3000:]}") from None

    def send_signal(self, number):
        self.child.send_signal(number)

    def wait(self, timeout=10):
        """Its exit status; kills it and fails where it does not end in time."""
        try:
            return self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise LabError(f"{self.name} did not end within {timeout} s\n"
                           f"{self.log()[-3000:]}") from None

    def stop(self, number=signal.SIGTERM, timeout=10):
        """Asks it to end and returns its exit status (also when it had ended before)."""
        if self.alive():
            self.send_signal(number)
        return self.wait(timeout)

    def kill(self):
        """SIGKILL, waited for. Never fails."""
        if self.alive():
            self.child.kill()
        self.child.wait()

    def fds(self):
        """Number of its open file descriptors."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def links(self):
        """What its open file descriptors lead to."""
        found = []
        for name in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                found.append(os.readlink(f"/proc/{self.pid}/fd/{name}"))
            except FileNotFoundError:
                pass
        return found

    def guest_mappings(self):
        """Number of its mappings of deleted and memory files: what guests have shared."""
        text = pathlib.Path(f"/proc/{self.pid}/maps").read_text()
        return len(re.findall(r"^.*(?:memfd:|\(deleted\)).*$", text, re.M))

    def resident_kib(self):
        """Resident private and shared-library memory in KiB, guests' shared memory left out."""
        fields = dict(re.findall(r"^(\w+):\s+(\d+) kB", pathlib.Path(
            f"/proc/{self.pid}/status").read_text(), re.M))
        return int(fields["VmRSS"]) - int(fields["RssShmem"])

    def cpu_seconds(self):
        """User and system time spent so far, in seconds, from the scheduler's clock."""
        total = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            spent = pathlib.Path(f"/proc/{self.pid}/task/{task}/schedstat").read_text()
            total += int(spent.split()[0])
        return total / 1e9

    def waited_seconds(self):
        """What its threads have waited so far for a processor that others had, in seconds."""
        total = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            spent = pathlib.Path(f"/proc/{self.pid}/task/{task}/schedstat").read_text()
            total += int(spent.split()[1])
        return total / 1e9

    def wakeups(self):
        """Context switches so far: each return from sleep is one voluntary switch."""
        total = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            text = pathlib.Path(f"/proc/{self.pid}/task/{task}/status").read_text()
            total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M).group(1))
        return total

    def check_sanitizer(self):
        """Fails where a sanitizer has reported something."""
        found = SANITIZER.search(self.log())
        assert not found, f"{self.name}: sanitizer report\n{self.log()[found.start():][:6000]}"
