"""Plots of how cost grows, as SVG: ``plot.py RESULT.json DIRECTORY``.

growth.mjs runs it with the Python of bench/.venv, which has matplotlib. The same figures give the
same bytes, whenever they are drawn. ``--png`` draws pixels instead, to look at."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update(
    {
        # Text stays text: readers can search and copy it, and the files are small.
        "svg.fonttype": "none",
        # Identifiers in the file come from its content, not from chance.
        "svg.hashsalt": "monoceros",
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "grid.color": "#e4e4e4",
        "axes.axisbelow": True,
        # A page may have a dark background; transparent axes would have black text on it.
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
    }
)

from matplotlib import pyplot as plt  # noqa: E402  (the settings come first)
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator  # noqa: E402

OURS = "monoceros"
# From a palette that the colour-blind can tell apart.
COLOURS: Dict[str, str] = {
    OURS: "#0072b2",
    "granian": "#009e73",
    "gunicorn-gevent": "#d55e00",
    "uwsgi": "#6b6b6b",
}
ACCEPTOR_COLOUR = "#56b4e9"
KB = 1024

Point = Dict[str, Any]
Value = Callable[[Point], List[float]]


def of(what: str) -> Value:
    """The figures of a point's samples, those without one left out."""
    return lambda point: [
        sample[what] for sample in point["samples"] if sample.get(what) is not None
    ]


def per_kb(first: Point) -> Value:
    """What each further KB costs: the differences to the same rounds of the first point."""

    def values(point: Point) -> List[float]:
        pairs = zip(first["samples"], point["samples"])
        return [
            (b["cpu"] - a["cpu"]) / ((point["x"] - first["x"]) / KB)
            for a, b in pairs
            if a.get("cpu") is not None and b.get("cpu") is not None and point is not first
        ]

    return values


def lines(curve: Dict[str, Any]) -> Dict[str, List[Point]]:
    """The points of each server, from left to right."""
    by_line: Dict[str, List[Point]] = {}
    for point in curve["points"]:
        by_line.setdefault(point["line"], []).append(point)
    return {line: sorted(points, key=lambda point: point["x"]) for line, points in by_line.items()}


def size(value: float, _position: Optional[int] = None) -> str:
    """A number of bytes as people say it."""
    if value >= KB * KB:
        return "%g MB" % (value / KB / KB)
    return "%g KB" % (value / KB) if value >= KB else "%g" % value


def number(value: float, _position: Optional[int] = None) -> str:
    """A number with commas between thousands."""
    return "{:,.0f}".format(value) if value >= 10 or value == int(value) else "%.2g" % value


class Labels:
    """Names beside the right ends of lines, moved apart where they would lie upon each other."""

    def __init__(self, axes: Axes) -> None:
        self.axes = axes
        self.ends: List[Tuple[float, float, str, str]] = []

    def add(self, x: float, y: float, text: str, colour: str) -> None:
        self.ends.append((x, y, text, colour))

    def draw(self) -> None:
        """Call it when the limits of the axes are final."""
        gap = 13.0
        heights = [
            self.axes.transData.transform((x, y))[1] * 72 / self.axes.figure.dpi
            for x, y, _, _ in self.ends
        ]
        order = sorted(range(len(heights)), key=lambda i: heights[i])
        placed = list(heights)
        # Neighbours push each other apart until all have room; so a heap of them stays about its
        # lines.
        for _ in range(100):
            for below, above in zip(order, order[1:]):
                push = max(0.0, placed[below] + gap - placed[above]) / 2
                placed[below] -= push
                placed[above] += push
        for i, (x, y, text, colour) in enumerate(self.ends):
            self.axes.annotate(
                text,
                (x, y),
                xytext=(8, placed[i] - heights[i]),
                textcoords="offset points",
                color=colour,
                va="center",
                annotation_clip=False,
            )


def draw_line(
    axes: Axes, points: Sequence[Point], value: Value, colour: str, style: str, width: float
) -> None:
    """Medians as a line; a solid one with the least and the most as bars."""
    known = [(point["x"], value(point)) for point in points]
    known = [(x, values) for x, values in known if values]
    if not known:
        return
    middles = [median(values) for _, values in known]
    places = [x for x, _ in known]
    if style == "-":
        spread = [
            [middle - min(values) for middle, (_, values) in zip(middles, known)],
            [max(values) - middle for middle, (_, values) in zip(middles, known)],
        ]
        axes.errorbar(
            places,
            middles,
            spread,
            color=colour,
            linewidth=width,
            marker="o",
            markersize=4,
            capsize=2,
            elinewidth=0.8,
        )
    else:
        axes.plot(
            places,
            middles,
            color=colour,
            linestyle=style,
            linewidth=width,
            marker="o",
            markersize=2.5,
        )


def draw_servers(axes: Axes, curve: Dict[str, Any]) -> Labels:
    """Each server's line; ours in bold, and what of it is acceptor and workers."""
    labels = Labels(axes)
    for line, points in lines(curve).items():
        colour = COLOURS.get(line, "#999999")
        draw_line(axes, points, of("cpu"), colour, "-", 2.4 if line == OURS else 1.5)
        parts = [("cpu", line, "-")]
        if line == OURS:
            parts += [("acceptor", "its acceptor", "--"), ("worker", "its workers", ":")]
        for what, text, style in parts:
            if what != "cpu":
                draw_line(axes, points, of(what), colour, style, 1.0)
            ends = [point for point in points if of(what)(point)]
            if ends:
                labels.add(ends[-1]["x"], median(of(what)(ends[-1])), text, colour)
    return labels


def figure(panels: int = 1) -> Tuple[Figure, List[Axes]]:
    """A figure of one or more panels beside each other."""
    drawn, axes = plt.subplots(1, panels, figsize=(7.6 if panels == 1 else 11, 4.2), squeeze=False)
    return drawn, list(axes[0])


def connections(curve: Dict[str, Any]) -> Figure:
    """Against the number of connections, which grows by factors."""
    drawn, (axes,) = figure()
    axes.set_xscale("log", base=2)
    labels = draw_servers(axes, curve)
    values = sorted({point["x"] for point in curve["points"]})
    axes.set_xticks(values)
    axes.xaxis.set_major_formatter(FuncFormatter(number))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("connections, each with a request under way")
    axes.set_ylabel("processor time per request, µs")
    axes.set_ylim(bottom=0)
    finish(drawn, [labels], right=0.8)
    return drawn


def headers(curve: Dict[str, Any]) -> Figure:
    """Against the number of header fields."""
    drawn, (axes,) = figure()
    labels = draw_servers(axes, curve)
    axes.set_xticks(sorted({point["x"] for point in curve["points"]}))
    axes.set_xlabel("header fields of a request")
    axes.set_ylabel("processor time per request, µs")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    finish(drawn, [labels], right=0.8)
    return drawn


def body(curve: Dict[str, Any], what: str) -> Figure:
    """Against the size of a body: what a request costs, and what each KB adds to it."""
    drawn, (whole, slope) = figure(2)
    labels = draw_servers(whole, curve)
    whole.set_yscale("log")
    whole.set_title("A request")
    whole.set_ylabel("processor time per request, µs")
    whole.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    whole.yaxis.set_major_formatter(FuncFormatter(number))
    whole.yaxis.set_minor_locator(NullLocator())

    slopes = Labels(slope)
    for line, points in lines(curve).items():
        colour = COLOURS.get(line, "#999999")
        value = per_kb(points[0])
        draw_line(slope, points[1:], value, colour, "-", 2.4 if line == OURS else 1.5)
        ends = [point for point in points[1:] if value(point)]
        if ends:
            slopes.add(ends[-1]["x"], median(value(ends[-1])), line, colour)
    slope.set_title("Each KB of it, beyond an empty body")
    slope.set_ylabel("processor time per KB, µs")
    slope.set_ylim(bottom=0)

    values = sorted({point["x"] for point in curve["points"]})
    for axes in (whole, slope):
        # Logarithmic except for its beginning, so that an empty body has a place.
        axes.set_xscale("symlog", linthresh=KB, linscale=0.4)
        axes.set_xticks(values if axes is whole else values[1:])
        axes.xaxis.set_major_formatter(FuncFormatter(size))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(what)
    whole.set_xlim(left=-150)
    slope.set_xlim(left=5 * KB)
    finish(drawn, [labels, slopes], right=0.87, wspace=0.58)
    return drawn


def idle(curve: Dict[str, Any]) -> Figure:
    """Against the number of idle connections: what the busy ones cost, and memory."""
    drawn, (cost, held) = figure(2)
    all_labels = []
    for axes, value in ((cost, of("cpu")), (held, megabytes)):
        labels = Labels(axes)
        for line, points in lines(curve).items():
            colour = COLOURS.get(line, "#999999")
            draw_line(axes, points, value, colour, "-", 2.4 if line == OURS else 1.5)
            ends = [point for point in points if value(point)]
            if ends:
                labels.add(ends[-1]["x"], median(value(ends[-1])), line, colour)
        axes.set_xticks(sorted({point["x"] for point in curve["points"]}))
        axes.xaxis.set_major_formatter(FuncFormatter(number))
        axes.set_xlabel("idle connections")
        axes.set_ylim(bottom=0)
        all_labels.append(labels)
    cost.set_title("A request of 64 busy connections")
    cost.set_ylabel("processor time per request, µs")
    held.set_title("Memory")
    held.set_ylabel("PSS of all processes, MB")
    finish(drawn, all_labels, right=0.87, wspace=0.58)
    return drawn


def megabytes(point: Point) -> List[float]:
    """The memory of a point's samples."""
    return [value / 1e6 for value in of("memory")(point)]


def processes(curve: Dict[str, Any]) -> Figure:
    """One bar for each way to share the work out among processes."""
    drawn, (axes,) = figure()
    points = [point for point in curve["points"] if of("cpu")(point)]
    for position, point in enumerate(points):
        acceptor, worker, total = (
            median(of(what)(point)) for what in ("acceptor", "worker", "cpu")
        )
        rate = median(of("requestsPerSecond")(point))
        first = position == 0
        axes.bar(position, worker, 0.55, color=COLOURS[OURS], label="workers" if first else None)
        axes.bar(
            position,
            acceptor,
            0.55,
            bottom=worker,
            color=ACCEPTOR_COLOUR,
            label="acceptors" if first else None,
        )
        costs = of("cpu")(point)
        axes.errorbar(
            position,
            total,
            [[total - min(costs)], [max(costs) - total]],
            color="#333333",
            elinewidth=0.8,
            capsize=3,
        )
        axes.annotate(
            "%s µs\n%s requests/s" % (number(total), number(rate)),
            (position, max(costs)),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
        )
    axes.set_xticks(range(len(points)), [str(point["x"]).replace(", ", "\n") for point in points])
    axes.set_ylabel("processor time per request, µs")
    axes.set_ylim(0, axes.get_ylim()[1] * 1.25)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    finish(drawn, [], right=0.82)
    return drawn


def finish(
    drawn: Figure, labels: Sequence[Labels], right: float, wspace: Optional[float] = None
) -> None:
    """Margins first: where labels stand depends on them."""
    drawn.subplots_adjust(
        left=0.1 if wspace is None else 0.07, right=right, bottom=0.16, top=0.92, wspace=wspace
    )
    drawn.canvas.draw()
    for one in labels:
        one.draw()


PLOTS: Dict[str, Callable[[Dict[str, Any]], Figure]] = {
    "connections": connections,
    "idle": idle,
    "processes": processes,
    "headers": headers,
    "response-body": lambda curve: body(curve, "response body"),
    "request-body": lambda curve: body(curve, "request body"),
}


def main() -> None:
    """Draw each curve that the result has."""
    parser = argparse.ArgumentParser(description="Draws how cost grows.")
    parser.add_argument("result", type=Path, help="the JSON file that bench/growth.mjs saved")
    parser.add_argument("directory", type=Path, help="where the plots go")
    parser.add_argument("--png", action="store_true", help="PNG instead of SVG")
    arguments = parser.parse_args()

    result = json.loads(arguments.result.read_text(encoding="utf-8"))
    arguments.directory.mkdir(parents=True, exist_ok=True)
    for curve in result["curves"]:
        drawn = PLOTS[curve["name"]](curve)
        path = arguments.directory / (
            "growth-%s.%s" % (curve["name"], "png" if arguments.png else "svg")
        )
        # Without a date: a plot whose figures have not changed is no change.
        metadata = (
            {}
            if arguments.png
            else {"Date": None, "Title": curve["title"], "Creator": "bench/plot.py"}
        )
        drawn.savefig(path, metadata=metadata)
        plt.close(drawn)
        print("Drew %s" % path)


if __name__ == "__main__":
    main()
