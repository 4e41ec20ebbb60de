# SPDX-License-Identifier: BSD-3-Clause
"""Where the two processors are: on a virtual machine the host moves them about.

The round trip of a cache line between them differs by four times with whether they share a core, a
cache, or neither; so do all figures of a switch that moves frames from one to the other. Runs are
comparable where the distance was the same.
"""
import statistics
import subprocess
import time

from lab.process import build_folder

SAMPLES, SAMPLE_PAUSE = 15, 0.5
# Within this factor it is the same distance.
TOLERANCE = 1.4
PATIENCE_SECONDS = 60


class Cores:
    def __init__(self, first, second):
        self.command = [build_folder() / "src/base/cores_bench", str(first), str(second)]
        self.usual = None

    def _ask(self, *words):
        done = subprocess.run([*self.command, *words], check=True, capture_output=True, text=True)
        return {line.split()[0]: [float(word) for word in line.split()[1:]]
                for line in done.stdout.splitlines()}

    def near(self):
        """Round trip of a cache line, ns."""
        return self._ask()["near"][0]

    def wake(self):
        """Median and 99th percentile of waking a thread that sleeps, us."""
        return self._ask("wake")["wake"]

    def look(self):
        """Finds out which distance is the usual one."""
        samples = []
        for _ in range(SAMPLES):
            samples.append(self.near())
            time.sleep(SAMPLE_PAUSE)
        self.usual = statistics.median(samples)
        return self.usual

    def is_usual(self, near):
        return self.usual / TOLERANCE < near < self.usual * TOLERANCE

    def wait_usual(self):
        """Waits until the processors are where they usually are, but not for ever."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.is_usual(self.near()) and time.monotonic() < end:
            time.sleep(SAMPLE_PAUSE)
