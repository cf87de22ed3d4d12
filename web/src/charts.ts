// The live charts: one for the score with its limit, a small one for each channel.
import uPlot from "uplot";
import type { Channel, Reading } from "./overview";

const points_max = 1200;

class Series {
  private readonly times: number[] = [];
  private readonly columns: (number | null)[][];

  constructor(count: number) {
    this.columns = Array.from({ length: count }, () => []);
  }

  push(time_s: number, values: (number | null)[]): void {
    this.times.push(time_s);
    this.columns.forEach((column, i) => column.push(values[i] ?? null));
    if (this.times.length <= points_max) return;
    this.times.shift();
    this.columns.forEach((column) => column.shift());
  }

  data(): uPlot.AlignedData {
    return [this.times, ...this.columns] as uPlot.AlignedData;
  }
}

const ink = "#51606f";
const axis = { stroke: ink, grid: { stroke: "#e4e9ee", width: 1 }, ticks: { show: false } };

export class ScoreChart {
  private readonly series = new Series(3);
  private readonly plot: uPlot;
  private level2: number | null = null;

  constructor(
    private readonly host: HTMLElement,
    private readonly limit: () => number,
  ) {
    this.plot = new uPlot(
      {
        width: host.clientWidth || 600,
        height: 190,
        scales: { y: { range: [0, 1] } },
        axes: [axis, { ...axis, size: 40 }],
        series: [
          {},
          { label: "level 1, on the device", stroke: "#1769aa", width: 1.5 },
          { label: "level 2, at the edge", stroke: "#7b3fa0", width: 1.5 },
          { label: "limit", stroke: "#c62828", width: 1, dash: [6, 4] },
        ],
      },
      this.series.data(),
      host,
    );
  }

  push(reading: Reading): void {
    if (reading.level2 !== null) this.level2 = reading.level2;
    this.series.push(reading.at_unix_ms / 1000, [reading.level1, this.level2, this.limit()]);
  }

  draw(): void {
    if (this.host.clientWidth && this.host.clientWidth !== this.plot.width)
      this.plot.setSize({ width: this.host.clientWidth, height: 190 });
    this.plot.setData(this.series.data());
  }
}

export class ChannelCharts {
  private readonly charts: { name: string; value: HTMLElement; series: Series; plot: uPlot; host: HTMLElement }[] = [];

  constructor(host: HTMLElement, channels: Channel[]) {
    for (const channel of channels) {
      const box = document.createElement("div");
      const title = document.createElement("div");
      title.className = "channel-title";
      const name = document.createElement("span");
      name.textContent = channel.name;
      const value = document.createElement("b");
      value.textContent = "-";
      title.append(name, value);
      const canvas = document.createElement("div");
      box.append(title, canvas);
      host.append(box);
      const series = new Series(1);
      const plot = new uPlot(
        {
          width: canvas.clientWidth || 280,
          height: 80,
          legend: { show: false },
          cursor: { show: false },
          axes: [{ show: false }, { ...axis, size: 46 }],
          series: [{}, { stroke: "#2e7d5b", width: 1.2 }],
        },
        series.data(),
        canvas,
      );
      value.dataset["unit"] = channel.unit;
      this.charts.push({ name: channel.name, value, series, plot, host: canvas });
    }
  }

  push(reading: Reading): void {
    for (const chart of this.charts) {
      const value = reading.values[chart.name];
      if (value === undefined) continue;
      chart.series.push(reading.at_unix_ms / 1000, [value]);
      chart.value.textContent = `${value.toPrecision(4)} ${chart.value.dataset["unit"] ?? ""}`;
    }
  }

  draw(): void {
    for (const chart of this.charts) {
      if (chart.host.clientWidth && chart.host.clientWidth !== chart.plot.width)
        chart.plot.setSize({ width: chart.host.clientWidth, height: 80 });
      chart.plot.setData(chart.series.data());
    }
  }
}
