# SPDX-License-Identifier: BSD-3-Clause
"""What virtswitch wants to reach, and whether these figures do."""

US, OVS, TESTPMD = "virtswitch", "ovs-dpdk", "testpmd-io"


class Figures:
    """Medians of the summary and costs, None where nothing was measured."""

    def __init__(self, table, cost):
        self.medians = {(row["series"], str(row["point"]), row["figure"], row["switch"]):
                        row["median"] for row in table}
        self.cost = cost

    def median(self, series, point, figure, switch=US):
        return self.medians.get((series, str(point), figure, switch))

    def times_less(self, series, point, figure, other):
        """How many times the other's figure is ours."""
        ours, theirs = (self.median(series, point, figure, name) for name in (US, other))
        return theirs / ours if ours and theirs else None

    def times_more(self, series, point, figure, other):
        less = self.times_less(series, point, figure, other)
        return 1 / less if less else None

    def percent(self, series, point, base, figure="mpps"):
        ours, full = (self.median(series, at, figure) for at in (point, base))
        return 100 * ours / full if ours and full else None

    def copy_percent(self):
        more = self.times_more("tso", "split", "gbps", "memcpy")
        return 100 * more if more else None

    def latency_at_half(self, figure):
        """At the highest offered load, up to half of our peak, that the other carries as well."""
        peak = self.median("sizes", 64, "mpps")
        loads = sorted((int(point) for series, point, name, switch in self.medians
                        if series == "latency" and name == figure and switch == OVS), reverse=True)
        for load in loads:
            if peak and load / 1000 <= peak / 2 and self.carries(load, OVS):
                return self.times_less("latency", load, figure, OVS)
        return None

    def carries(self, load, switch):
        rate = self.median("latency", load, "mpps", switch)
        return rate is not None and rate > 0.98 * load / 1000

    def added_by_sleep(self):
        ours, polling = (self.median("wake", "64 bytes", "p99_us", name) for name in (US, "busy"))
        return ours - polling if ours and polling else None


# Name, how it is found, at least, goal. A goal below the least: less is better.
TARGETS = [
    ("64 bytes, split: cycles a frame, OVS-DPDK's by ours",
     lambda f: f.times_less("sizes", 64, "cycles", OVS), 1.4, 2.2),
    ("64 bytes, packed: likewise", lambda f: f.times_less("packed", 64, "cycles", OVS), 1.3, 2),
    ("1500 bytes: likewise", lambda f: f.times_less("sizes", 1500, "cycles", OVS), 1.7, 3),
    ("IMIX: likewise", lambda f: f.times_less("sizes", "imix", "cycles", OVS), 1.5, 2.2),
    ("1500 bytes: Mpps, ours by OVS-DPDK's",
     lambda f: f.times_more("sizes", 1500, "mpps", OVS), 1.6, 2.5),
    ("1500 bytes: Mpps, ours by testpmd io's",
     lambda f: f.times_more("sizes", 1500, "mpps", TESTPMD), 1.3, 2),
    ("64 bytes, circulating testpmd: cycles a frame, OVS-DPDK's by ours",
     lambda f: f.times_less("circulate", 64, "cycles", OVS), 1.4, 2.2),
    ("1500 bytes, circulating testpmd: likewise",
     lambda f: f.times_less("circulate", 1500, "cycles", OVS), 1.7, 3),
    ("TSO 64 KiB: percent of one core's memcpy", Figures.copy_percent, 50, 80),
    ("ping-pong p50: testpmd io's by ours",
     lambda f: f.times_less("ping", "64 bytes", "p50_us", TESTPMD), 1, 1.001),
    ("ping-pong p99: testpmd io's by ours",
     lambda f: f.times_less("ping", "64 bytes", "p99_us", TESTPMD), 1, 1.001),
    ("latency p99 under load: OVS-DPDK's by ours",
     lambda f: f.latency_at_half("p99_us"), 1, 2),
    ("adaptive waiting: p99 added to a lone ping, us", Figures.added_by_sleep, 50, 20),
    ("idle CPU, 64 ports, percent of a core",
     lambda f: f.cost.get("idle_64_ports_cpu_percent"), 1, 0.1),
    ("256 ports, 2 active: percent of 2 ports' throughput",
     lambda f: f.percent("ports", 256, 2), 95, 100),
    ("100,000 addresses: percent of 100 addresses' throughput",
     lambda f: f.percent("macs", 100000, 100), 90, 97),
    ("TAP ports: Gbit/s of TCP between two namespaces",
     lambda f: f.median("tap", "TCP", "gbps"), 13, 17),
    ("TAP ports: 64 bytes, Mpps a core",
     lambda f: f.median("tap", "64 bytes", "core_mpps"), 0.5, 0.65),
    ("vsw-nic: Gbit/s of TCP between two namespaces",
     lambda f: f.median("tap", "TCP", "gbps", "vsw-nic"), 10, 10),
    ("vsw-nic: small UDP datagrams, Mpps",
     lambda f: f.median("tap", "UDP", "mpps", "vsw-nic"), 0.5, 0.5),
    ("TAP ports: ping p50, us", lambda f: f.median("tap", "ping", "p50_us"), 60, 40),
    ("packet ports: Gbit/s of TCP between two namespaces",
     lambda f: f.median("packet", "TCP", "gbps"), 12, 16),
    ("packet ports: 64 bytes, Mpps a core",
     lambda f: f.median("packet", "64 bytes", "cpu_mpps"), 0.5, 0.7),
    ("resident memory, 256 ports, MiB", lambda f: f.cost.get("resident_256_ports_mib"), 64, 32),
]


def _verdict(measured, least, goal):
    if goal < least:
        measured, least, goal = -measured, -least, -goal
    return "goal" if measured >= goal else "reached" if measured >= least else "MISSED"


def judge(table, cost):
    """A row for each target of which there are figures."""
    figures = Figures(table, cost)
    rows = []
    for name, find, least, goal in TARGETS:
        measured = find(figures)
        if measured is not None:
            rows.append({"target": name, "measured": measured, "least": least, "goal": goal,
                         "verdict": _verdict(measured, least, goal)})
    return rows
