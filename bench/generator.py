# SPDX-License-Identifier: BSD-3-Clause
"""The two generators: vsw-bench, and a testpmd whose frames circulate through the switch."""
import json
import statistics

from lab.process import LabError, Process, program

# Ports connect, addresses are learned one by one in the slow path of some switches.
SETTLE_SECONDS = 120


class VswBench:
    """Sends between the ports of a switch; knows order, loss, content and latency."""

    @staticmethod
    def lacking():
        return "" if program("vsw-bench") else "vsw-bench is not built"

    @staticmethod
    def run(bed, switch, paths, cpu, seconds, warm, options):
        """One run with words of options; what it measured, and the switch's cycles a frame."""
        log = bed.path / "vsw-bench.log"
        suffix = ",server" if switch.server else ""
        words = [program("vsw-bench"), *(f"--port={path}{suffix}" for path in paths), "--cpu", cpu,
                 "--duration", seconds, "--warmup", warm, "--connect", 60, "--json",
                 *getattr(switch, "options", ()), *options]
        process = Process("vsw-bench", words, log)
        try:
            process.wait_log("^measuring$", SETTLE_SECONDS + warm)
            switch.warmed()
            status = process.wait(seconds + 30)
        finally:
            process.kill()
        text = log.read_text(errors="replace")
        if status != 0:
            raise LabError(f"vsw-bench: status {status}\n{text[-4000:]}")
        told = json.loads(text[text.index("{"):])
        latency = told["latency_ns"] or {}
        return {"mpps": told["mpps"], "gbps": told["gbps"], "lost": told["lost"],
                "cycles": switch.cycles(),
                **{f"{name}_us": latency[name] / 1000 for name in ("p50", "p99", "p99_9")
                   if name in latency}}


def circulate(bed, switch, paths, cpus, seconds, warm, size):
    """One run of testpmd with two virtio-user NICs; cpus: the generator's and the switch's."""
    ports = [path.stem for path in paths]
    generator = bed.circulate(ports, server=switch.server, options=[f"--txpkts={size}"],
                              cores=f"{cpus[0]},{cpus[1]}", main=cpus[1], memory=512, mbufs=8192)
    generator.wait_traffic(30)
    generator.wait_seconds(warm, 20)
    switch.warmed()
    rates = generator.wait_seconds(seconds, seconds + 20)
    return {"mpps": statistics.median(rates) / 1e6, "cycles": switch.cycles()}
