# SPDX-License-Identifier: BSD-3-Clause
"""DPDK's testpmd: as virtio-user clients of the switch, or with its own vhost back-end as a peer."""
import re
import signal

from .process import Process, wait_for

TESTPMD = "dpdk-testpmd"
MACS = ("52:54:00:00:aa:01", "52:54:00:00:aa:02")


def virtio_user(number, path, mac=None, server=False, queues=1, ring=1024, extra=""):
    """A --vdev argument: a virtio driver that is a client of (or, server, a host to) a back-end."""
    return (f"net_virtio_user{number},path={path},queues={queues},queue_size={ring},"
            f"server={int(server)},mac={mac or MACS[number]}{extra}")


def vhost(number, path, client=False, queues=1):
    """A --vdev argument: DPDK's vhost-user back-end."""
    return f"net_vhost{number},iface={path},queues={queues},client={int(client)}"


class Testpmd:
    """One testpmd without huge pages. options: words after the `--`."""

    __test__ = False  # for pytest: not a class of tests

    def __init__(self, name, log, vdevs, options=(), cores="0,1", main=0, memory=256,
                 memory_options=("--no-huge",), mbufs=16384, cpus=None):
        command = [TESTPMD, "-l", cores, f"--main-lcore={main}", f"--file-prefix={name}",
                   "--no-pci", "--no-telemetry", *memory_options, "-m", memory,
                   *(f"--vdev={vdev}" for vdev in vdevs), "--", "--nb-cores=1",
                   f"--total-num-mbufs={mbufs}", "--stats-period=1", *options]
        self.command, self.name, self.log_path = command, name, log
        self.cpus = cpus
        self.process = None
        self.start()

    def start(self):
        self.process = Process(self.name, self.command, self.log_path, cpus=self.cpus)

    @classmethod
    def circulate(cls, name, log, paths, server=False, queues=1, options=(), extra="", burst=256,
                  **keywords):
        """Two virtio-user NICs that send each other's frames round through the switch.

        By default the driver takes completions back when the ring is full, some thousand at once:
        more than a core's cache of buffers holds, so that all buffers there are go round and every
        one of them is cold. Taken back early they stay hot, and the generator is twice as fast.
        """
        vdevs = [virtio_user(i, path, server=server, queues=queues, extra=extra)
                 for i, path in enumerate(paths)]
        return cls(name, log, vdevs, [
            "--forward-mode=io", "--tx-first", f"--burst={burst}", "--txd=1024", "--rxd=1024",
            f"--txfreet={1024 - 64}",
            f"--eth-peer=0,{MACS[1]}", f"--eth-peer=1,{MACS[0]}", *options], **keywords)

    def rates(self, port, direction="Rx"):
        """Frames a second of one port, one number for each second so far."""
        blocks = self.process.log().split("NIC statistics for port ")[1:]
        found = []
        for block in blocks:
            match = re.match(r"(\d+)", block)
            rate = re.search(rf"{direction}-pps:\s+(\d+)", block)
            if match and rate and int(match.group(1)) == port:
                found.append(int(rate.group(1)))
        return found

    def wait_seconds(self, number, timeout):
        """Waits for `number` more one-second rates of both ports; them, summed over the ports."""
        begin = [len(self.rates(port)) for port in (0, 1)]
        wait_for(lambda: not self.process.alive() or all(
            len(self.rates(port)) >= begin[port] + number for port in (0, 1)), timeout,
            "rates at testpmd", pause=0.1)
        assert self.process.alive(), f"testpmd ended:\n{self.process.log()[-3000:]}"
        first, second = (self.rates(port)[begin[port]:begin[port] + number] for port in (0, 1))
        return [one + two for one, two in zip(first, second)]

    def wait_traffic(self, timeout=20):
        """Waits until both ports have received a good number of frames a second."""
        seen = [len(self.rates(port)) for port in (0, 1)]
        wait_for(lambda: not self.process.alive() or
                 all(max(self.rates(port)[seen[port]:], default=0) > 1000 for port in (0, 1)),
                 timeout, "frames in both directions at testpmd", pause=0.2)
        assert self.process.alive(), f"testpmd ended:\n{self.process.log()[-3000:]}"

    def stop(self):
        """SIGINT, as a user would; its exit status."""
        return self.process.stop(signal.SIGINT, timeout=20)

    def kill(self):
        self.process.kill()

    close = kill
