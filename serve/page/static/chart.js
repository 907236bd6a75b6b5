// A line chart over time by uPlot, and the same numbers as a table.

import { el, table } from "./dom.js";
import { clock, decimal } from "./words.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Chart {
  constructor(place, label, names, unit) {
    this.names = names;
    this.unit = unit;
    this.label = label;
    this.canvas = el("div", { className: "chart", role: "img" });
    this.rows = el("div", { className: "scroll", tabIndex: 0, role: "region" });
    this.rows.setAttribute("aria-label", `${label}, as a table`);
    this.details = el("details", {}, el("summary", {}, "The same as a table"), this.rows);
    const lines = names.map((name, at) => el("li", { className: `key line${(at % 4) + 1}` }, name));
    const key = el("ul", { className: "row", ariaLabel: "Lines" }, ...lines);
    place.replaceChildren(key, this.canvas, this.details);
    this.details.addEventListener("toggle", () => this.tabulate());
    this.redraw = () => this.draw();
    dark.addEventListener("change", this.redraw);
    this.sized = new ResizeObserver(() => this.plot?.setSize({ width: this.canvas.clientWidth, height: 200 }));
    this.sized.observe(this.canvas);
  }

  close() {
    dark.removeEventListener("change", this.redraw);
    this.sized.disconnect();
    this.plot?.destroy();
  }

  // Columns: seconds since 1970, then one of numbers for each name.
  show(columns) {
    this.columns = columns;
    if (this.plot) this.plot.setData(columns);
    else this.draw();
    this.tabulate();
    const last = this.names.map((name, at) => `${name} ${decimal(columns[at + 1].at(-1) ?? null)}`).join(", ");
    this.canvas.setAttribute("aria-label", `${this.label}; latest: ${last} ${this.unit}`);
  }

  draw() {
    if (!this.columns) return;
    this.plot?.destroy();
    const ink = colour("--soft");
    const axis = { stroke: ink, grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
    this.plot = new uPlot(
      {
        width: this.canvas.clientWidth || 600,
        height: 200,
        legend: { show: false },
        cursor: { drag: { x: false, y: false } },
        scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, high * 1.1)] } },
        axes: [{ ...axis, values: (_, at) => at.map((seconds) => clock(seconds)), space: 90 }, { ...axis, size: 50 }],
        series: [
          {},
          ...this.names.map((name, at) => ({
            label: name,
            stroke: colour(`--s${(at % 4) + 1}`),
            width: 2,
            spanGaps: true,
            points: { show: this.columns[0].length < 30 },
          })),
        ],
      },
      this.columns,
      this.canvas,
    );
  }

  tabulate() {
    const last = this.columns?.[0].at(-1);
    if (!this.details.open || !this.columns || last === this.tabled) return;
    this.tabled = last; // who reads or selects in it isn't disturbed until there is a new line
    const numbers = (row) => this.names.map((_, line) => decimal(this.columns[line + 1][row]));
    const rows = this.columns[0].map((at, row) => [clock(at), ...numbers(row)]);
    this.rows.replaceChildren(table(`${this.label} (${this.unit})`, ["Time", ...this.names], rows.reverse()));
  }
}
