# SPDX-License-Identifier: BSD-3-Clause
"""Line charts as SVG text, for a page that needs no other program: median and spread by point."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 40, 50
# Distinct for colour-blind readers too (Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
# The same switch has the same colour in every chart.
OWN = {"virtswitch": COLOURS[0], "testpmd-io": COLOURS[1], "ovs-dpdk": COLOURS[2]}


def _nice(value):
    """The least of 1, 2, 5 times a power of ten that is not below the value."""
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * 0.999999)


class Scale:
    """Values to heights, from zero or by powers of ten."""

    def __init__(self, values, logarithmic):
        positive = [value for value in values if value > 0] or [1]
        self.logarithmic = logarithmic
        if logarithmic:
            least, most = min(positive), max(positive)
            steps = [step * 10.0 ** power for power in range(math.floor(math.log10(least)),
                                                             math.ceil(math.log10(most)) + 1)
                     for step in (1, 2, 5)]
            bottom = max(step for step in steps if step <= least)
            top = next(step for step in steps if step >= most and step > bottom)
            self.ticks = [step for step in steps if bottom <= step <= top]
            self.low, self.high = math.log10(bottom), math.log10(top)
        else:
            step = _nice(max(positive) / 5)
            self.low, self.high = 0, step * math.ceil(max(positive) / step)
            self.ticks = [step * number for number in range(round(self.high / step) + 1)]

    def y(self, value):
        if self.logarithmic:
            value = math.log10(max(value, 10 ** self.low))
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _text(x, y, text, anchor="middle", extra=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{escape(str(text))}</text>'


def _axes(places, scale, axis, heading):
    parts = []
    for tick in scale.ticks:
        y = scale.y(tick)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
                     'stroke="#ddd"/>')
        parts.append(_text(LEFT - 6, y + 4, f"{tick:g}", "end"))
    for label, x in places.items():
        parts.append(_text(x, HEIGHT - BOTTOM + 18, label))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, axis))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(_text(16, middle, heading, extra=f' transform="rotate(-90 16 {middle:.1f})"'))
    return parts


def _curve(number, name, points, places, scale):
    colour = OWN.get(name, COLOURS[3 + number % 3])
    parts, path = [], []
    for label, (median, least, most) in points.items():
        x = places[label]
        path.append(f"{x:.1f},{scale.y(median):.1f}")
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{scale.y(least):.1f}" '
                     f'y2="{scale.y(most):.1f}" stroke="{colour}" stroke-opacity="0.5"/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{scale.y(median):.1f}" r="3.5" fill="{colour}">'
                     f"<title>{escape(f'{name}, {label}: {median:.4g}')}</title></circle>")
    parts.append(f'<polyline points="{" ".join(path)}" fill="none" stroke="{colour}" '
                 'stroke-width="2"/>')
    y = TOP + 10 + 20 * number
    parts.append(f'<circle cx="{WIDTH - RIGHT + 16}" cy="{y}" r="4" fill="{colour}"/>')
    parts.append(_text(WIDTH - RIGHT + 26, y + 4, name, "start"))
    return parts


def chart(title, axis, heading, labels, curves, logarithmic=False):
    """labels: the points of the axis in order; curves: name to {label: (median, least, most)}."""
    values = [value for points in curves.values() for triple in points.values() for value in triple]
    scale = Scale(values, logarithmic)
    step = (WIDTH - LEFT - RIGHT) / max(len(labels), 1)
    places = {label: LEFT + step * (number + 0.5) for number, label in enumerate(labels)}
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
             f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
             _text((LEFT + WIDTH - RIGHT) / 2, 22, title, extra=' font-size="15"')]
    parts += _axes(places, scale, axis, heading)
    for number, (name, points) in enumerate(curves.items()):
        parts += _curve(number, name, points, places, scale)
    return "\n".join(parts + ["</svg>", ""])
