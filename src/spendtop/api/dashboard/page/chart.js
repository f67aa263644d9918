// Spend over time as columns. The pointer and the arrow keys read one column after the other.
const chart = { bars: [], at: -1 };

function niceCeiling(nano) {
  if (nano <= 0) return 10_000_000;
  const power = 10 ** Math.floor(Math.log10(nano));
  return [1, 2, 5, 10].map((factor) => factor * power).find((rounded) => rounded >= nano);
}

function barWords(bar) {
  const days = Date.parse(bar.until) - Date.parse(bar.since) > 20 * 3_600_000;
  const [first, last] = [times.date(bar.since), times.date(times.now())];
  const day = first === last ? "" : `${first} `;
  const when = days ? first : `${day}${times.minute(bar.since)}–${times.minute(bar.until)}`;
  const failed = bar.failed ? `, ${grouped(bar.failed)} failed` : "";
  return `${when}: ${bar.requests ? costWords(bar) : "$0.00"}, ${plural(bar.requests, "request")}${failed}`;
}

function readBar(place) {
  chart.at = Math.max(-1, Math.min(chart.bars.length - 1, place));
  const [plot, highlight] = [$("chart-plot"), $("chart-here")];
  const bar = chart.bars[chart.at];
  const words = bar ? barWords(bar) : chart.whole;
  $("chart-readout").textContent = words;
  plot.setAttribute("aria-valuenow", bar ? chart.at + 1 : chart.bars.length);
  plot.setAttribute("aria-valuetext", words);
  highlight.setAttribute("visibility", bar ? "visible" : "hidden");
  if (bar) highlight.setAttribute("x", chart.at);
}

function drawnBars(top) {
  return chart.bars.flatMap((bar, place) => {
    const drawn = [];
    const height = bar.cost_nanousd ? Math.max((bar.cost_nanousd / top) * 100, 0.8) : 0;
    const peak = bar.cost_nanousd && bar.cost_nanousd === chart.peak ? " peak" : "";
    const box = { x: place + 0.08, width: 0.84 };
    if (height) drawn.push(svg("rect", { ...box, class: `spent${peak}`, y: 100 - height, height }));
    if (bar.unpriced) drawn.push(svg("rect", { ...box, class: "unpriced", y: 96, height: 4 }));
    return drawn;
  });
}

function showChart({ bars }) {
  chart.bars = bars;
  chart.peak = Math.max(0, ...bars.map((bar) => bar.cost_nanousd ?? 0));
  const top = niceCeiling(chart.peak);
  const dearest = bars.find((bar) => bar.cost_nanousd && bar.cost_nanousd === chart.peak);
  chart.whole = dearest ? `peak ${barWords(dearest)}` : "nothing was spent";
  const picture = svg(
    "svg",
    { viewBox: `0 0 ${Math.max(bars.length, 1)} 100`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { id: "chart-here", class: "here", x: 0, y: 0, width: 1, height: 100, visibility: "hidden" }),
    ...[0, 50, 100].map((y) =>
      svg("line", { class: "grid", x1: 0, x2: bars.length, y1: y, y2: y, "vector-effect": "non-scaling-stroke" })),
    ...drawnBars(top),
  );
  const long = bars.length && Date.parse(bars.at(-1).until) - Date.parse(bars[0].since) > 2 * 86_400_000;
  const mark = (at) => make("span", {}, long ? times.date(at).slice(5) : times.minute(at));
  const marks = bars.length ? [bars[0].since, bars[Math.floor(bars.length / 2)].since, bars.at(-1).until] : [];
  const unpriced = bars.some((bar) => bar.unpriced);
  const plot = make("div", {
    id: "chart-plot", tabindex: "0", role: "slider", "aria-label": "Spend over time, column by column",
    "aria-valuemin": "1", "aria-valuemax": Math.max(bars.length, 1),
    onpointermove: (event) => readBar(Math.floor((event.offsetX / plot.clientWidth) * chart.bars.length)),
    onpointerleave: () => readBar(-1),
    onblur: () => readBar(-1),
    onkeydown: (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      readBar(Math.max(0, (chart.at < 0 ? chart.bars.length : chart.at) + step));
    },
  }, picture);
  const focused = $("chart").contains(document.activeElement);
  $("chart").replaceChildren(
    make("div", { class: "axis", "aria-hidden": "true" },
      ...[top, top / 2, 0].map((nano) => make("span", {}, nano ? shortUsd(Math.round(nano)) : "$0"))),
    plot,
    make("div", { class: "times", "aria-hidden": "true" }, ...marks.map(mark)),
    make("p", { id: "chart-readout", class: "readout", "aria-hidden": "true" }),
    ...(unpriced ? [make("p", { class: "legend unknown" }, "unpriced, not in $")] : []),
  );
  readBar(chart.at);
  if (focused) plot.focus();
}
