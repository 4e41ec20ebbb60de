# SPDX-License-Identifier: BSD-3-Clause
"""What is measured: each series is a row of points, at each of which every switch is run.

A point is its place on the axis, the generator's words, and what the switch must have. `figures` are
drawn and shown: name, heading, and whether the axis is logarithmic. `only` names the switches of a
series that is not for all of them.
"""
import os


def words(name, default):
    return os.environ.get(name, default).split()


class Point:
    def __init__(self, x, options, ports=2, macs=1000, tap=None, pair=None):
        self.x, self.options, self.ports, self.macs, self.tap = x, options, ports, macs, tap
        # Which of tap.PAIRS is ours, where it is not TapPair.
        self.pair = pair


class Series:
    def __init__(self, name, title, axis, points, figures, learning=False, only=()):
        self.name, self.title, self.axis, self.points = name, title, axis, points
        self.figures, self.learning, self.only = figures, learning, only

    def fits(self, kind, point):
        """False where this switch cannot be run at this point."""
        if kind.name in YARDSTICKS or self.only:
            return kind.name in self.only
        return point.ports <= kind.ports_most and (kind.learns or not self.learning)


# Not switches that somebody may want to use: each belongs to the series that name it.
YARDSTICKS = ("busy", "memcpy", "plain", "vsw-nic", "bridge")

MPPS = ("mpps", "Mpps, both directions together", True)
CYCLES = ("cycles", "busy cycles a frame on the switch's core", False)
GBPS = ("gbps", "Gbit/s, both directions together", False)
CORE = ("core_mpps", "million frames a second and core of the switch", False)
CPU = ("cpu_mpps", "the same by processor time", False)
LATENCY = (MPPS, ("p50_us", "median, microseconds", True),
           ("p99_us", "99th percentile, microseconds", True))


def all_series():
    sizes = words("SIZES", "64 128 256 512 1024 1500 imix")
    loads = words("LOADS", "100000 500000 1000000 2000000 4000000 6000000 12000000 25000000")
    ports = [int(count) for count in words("PORTS", "2 8 64 256")]
    macs = [int(count) for count in words("MACS", "100 1000 10000 100000")]
    return [
        Series("sizes", "Throughput by frame size", "bytes of a frame",
               [Point(size, ["--size", size]) for size in sizes], [MPPS, CYCLES]),
        Series("packed", "Throughput by frame size, packed rings", "bytes of a frame",
               [Point(size, ["--packed", "--size", size]) for size in sizes], [MPPS, CYCLES]),
        Series("latency", "Latency by load, 64-byte frames", "thousand frames a second offered",
               [Point(int(load) // 1000, ["--rate", load]) for load in loads], LATENCY),
        Series("ping", "Round trip of a single frame", "",
               [Point("64 bytes", ["--ping"])], LATENCY),
        Series("ports", "Two active ports among many, 64-byte frames", "ports",
               [Point(count, ["--active", 2], ports=count) for count in ports], [MPPS, CYCLES]),
        Series("macs", "Cost of learned addresses, 64-byte frames", "addresses in use",
               [Point(count, ["--macs", count // 2], macs=count) for count in macs],
               [MPPS, CYCLES], learning=True),
        Series("in-order", "Used in order (IN_ORDER), 64-byte frames", "rings",
               [Point("split", ["--in-order"]), Point("packed", ["--in-order", "--packed"])],
               [MPPS, CYCLES], only=("virtswitch",)),
        Series("tso", "Segments of 65,000 bytes, and a plain copy of the same", "rings",
               [Point("split", ["--tso", "--no-mergeable"]),
                Point("packed", ["--tso", "--packed", "--no-mergeable"]),
                # In buffers of 2 KiB, as most drivers want them.
                Point("split, merged", ["--tso"])],
               [GBPS, CYCLES], only=("virtswitch", "memcpy")),
        Series("wake", "A lone ping every 2 ms: waiting that sleeps, waiting that polls", "",
               [Point("64 bytes", ["--ping", "--interval", 2000])], LATENCY,
               only=("virtswitch", "busy")),
        Series("tap", "Two network namespaces: TAP ports, and the kernel's bridge", "traffic",
               [Point("TCP", None, tap="tcp"), Point("64 bytes", None, tap="flood"),
                Point("UDP", None, tap="udp"), Point("ping", None, tap="ping")],
               [GBPS, MPPS, CORE, CPU, CYCLES, *LATENCY[1:]], only=("virtswitch", "plain", "vsw-nic", "bridge")),
        Series("packet", "Two network namespaces: packet ports at veths, and the kernel's bridge",
               "traffic",
               [Point("TCP", None, tap="tcp", pair="packet"),
                Point("64 bytes", None, tap="flood", pair="packet"),
                Point("ping", None, tap="ping", pair="packet")],
               [GBPS, MPPS, CORE, CPU, CYCLES, *LATENCY[1:]], only=("virtswitch", "bridge")),
    ]
