# SPDX-License-Identifier: BSD-3-Clause
"""A comparison as a page of Markdown: the targets, and a table for each series."""

UNITS = {"mpps": "Mpps", "core_mpps": "Mpps a core", "cpu_mpps": "Mpps a second of processor time",
         "gbps": "Gbit/s", "cycles": "cycles a frame", "p50_us": "p50 us", "p99_us": "p99 us"}


def _row(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _cell(row):
    """Median and spread."""
    return f"{_number(row['median'])} ({_number(row['least'])}-{_number(row['most'])})"


def _series(series, table):
    rows = [row for row in table if row["series"] == series.name]
    switches = list(dict.fromkeys(row["switch"] for row in rows))
    cells = {(row["point"], row["figure"], row["switch"]): _cell(row) for row in rows}
    lines = [f"## {series.title}", "",
             _row([series.axis or "frame", "figure", *switches]),
             _row(["---"] * (2 + len(switches)))]
    for point in series.points:
        for figure, _, _ in series.figures:
            found = [cells.get((point.x, figure, switch), "") for switch in switches]
            if any(found):
                lines.append(_row([point.x, UNITS[figure], *found]))
    return [*lines, ""] if rows else []


def page(about, chosen, table, cost, judged):
    """Text; table: the rows of the summary."""
    lines = [f"{about['cpu']}, {about['cores']} cores, kernel {about['kernel']}, {about['date']}; "
             f"round trip of a cache line between the two cores: {about['near_ns']:.0f} ns. "
             "Medians (least-most).", ""]
    if judged:
        lines += ["## Targets", "", _row(["target", "measured", "at least", "goal", ""]),
                  _row(["---"] * 5)]
        lines += [_row([row["target"], _number(row["measured"]), row["least"], row["goal"],
                        row["verdict"]]) for row in judged]
        lines.append("")
    for series in chosen:
        lines += _series(series, table)
    if cost:
        lines += ["## Costs", "", _row(["figure", "measured"]), _row(["---"] * 2)]
        lines += [_row([key.replace("_", " "), value if isinstance(value, str) else _number(value)])
                  for key, value in cost.items()]
    return "\n".join(lines).rstrip() + "\n"
