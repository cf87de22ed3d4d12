// The console's first page: one sentence, the score and its limit, one time line; the loop in a second tab.
import "uplot/dist/uPlot.min.css";
import "./page.css";
import { build_controls, post } from "./actions";
import { ChannelCharts, ScoreChart } from "./charts";
import type { Episode, Happening, Overview, Reading } from "./overview";

function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element ${id}`);
  return found;
}

const clock = (unix_ms: number): string => (unix_ms ? new Date(unix_ms).toLocaleTimeString() : "");

let latest: Overview | null = null;
let channels: ChannelCharts | null = null;
const score = new ScoreChart(element("score"), () => latest?.limit ?? 0.5);

// Rebuilds a list only when what it shows has changed, so that a person can click on what stands still.
const shown = new Map<string, string>();

function fill<T>(id: string, items: T[], make: (item: T) => HTMLElement): void {
  const key = JSON.stringify(items);
  if (shown.get(id) === key) return;
  shown.set(id, key);
  const host = element(id).querySelector("tbody") ?? element(id);
  host.replaceChildren(...items.map(make));
}

function line(tag: string, text: string, cls = ""): HTMLElement {
  const made = document.createElement(tag);
  made.textContent = text;
  if (cls) made.className = cls;
  return made;
}

function row(cells: string[]): HTMLElement {
  const made = document.createElement("tr");
  made.append(...cells.map((cell) => line("td", cell)));
  return made;
}

function happening(item: Happening): HTMLElement {
  const made = line("li", "", `happening ${item.kind}`);
  made.append(line("time", clock(item.at_unix_ms)), line("span", item.text));
  return made;
}

// "vibration_band_high" and "bearing-wear" as people read them.
function spaced(name: string): string {
  return name.replace(/[-_]/g, " ");
}

function suspected(item: Episode): string {
  if (!item.suspected) return "";
  return item.evidence ? `suspected: ${spaced(`${item.suspected} (${item.evidence})`)}` : "suspected: cause unclear";
}

function episode(item: Episode): HTMLElement {
  const made = line("li", "", `episode ${item.severity}`);
  const lasted = item.end_unix_ms ? `${clock(item.start_unix_ms)} - ${clock(item.end_unix_ms)}` : `since ${clock(item.start_unix_ms)}`;
  const because = Object.entries(item.contributions)
    .sort((a, b) => b[1] - a[1])
    .slice(0, 3)
    .map(([name, share]) => `${spaced(name)} ${Math.round(share * 100)} %`)
    .join(", ");
  made.append(
    line("b", item.level > 0 ? `Level ${item.level}: ${item.severity}, peak ${item.peak.toFixed(2)}` : item.note),
    line("span", `${lasted} · ${item.state}`),
    line("span", because && item.level > 0 ? `because of ${because}` : ""),
    line("span", suspected(item)),
  );
  if (item.verdict === "open") {
    const verdicts = line("div", "", "verdicts");
    for (const [verdict, note, text] of [
      ["true", "", "True"],
      ["false", "new load", "False: new load"],
      ["maintenance", "", "Maintenance"],
      ["sensor", "", "Sensor"],
    ] as const) {
      const button = document.createElement("button");
      button.textContent = text;
      button.dataset["verdict"] = verdict;
      button.addEventListener("click", () => {
        void post(`api/v1/episodes/${item.id}/verdict`, { verdict, note }).then((problem) => {
          if (problem) element("answer").textContent = `Not done: ${problem}`;
        });
      });
      verdicts.append(button);
    }
    made.append(verdicts);
  } else {
    made.append(line("span", `verdict: ${item.verdict}${item.note ? `: ${item.note}` : ""}`, "verdict"));
  }
  return made;
}

function show(overview: Overview): void {
  latest = overview;
  document.title = overview.sentence;
  const sentence = element("sentence");
  sentence.textContent = overview.sentence;
  sentence.dataset["condition"] = overview.condition;
  const badge = element("badge");
  badge.hidden = !overview.badge;
  badge.textContent = overview.badge;
  element("bench").hidden = !overview.plant;
  if (!channels && overview.asset.channels.length) channels = new ChannelCharts(element("channels"), overview.asset.channels);
  fill("timeline", overview.timeline, happening);
  fill("events", overview.events, happening);
  fill("episodes", overview.episodes, episode);
  fill("steps", overview.steps, (step) => {
    const made = line("li", "", step.done ? "done" : "");
    const took = step.done ? ` (${(step.took_ms / 1000).toFixed(1)} s)` : "";
    made.append(line("b", `${step.title}${took}`), line("span", step.measured));
    return made;
  });
  fill("models", overview.models, (model) => row([String(model.level), model.name, String(model.release), model.state]));
  element("others-card").hidden = overview.sensors.length === 0;
  fill("others", overview.sensors, (sensor) =>
    row([
      sensor.device,
      clock(sensor.last_unix_ms),
      Object.entries(sensor.values)
        .map(([name, value]) => `${name} ${value}`)
        .join(", "),
    ]),
  );
  if (overview.judgement) element("judgement").textContent = overview.judgement;
}

function open_tab(name: "machine" | "loop"): void {
  for (const tab of ["machine", "loop"]) {
    element(tab).hidden = tab !== name;
    element(`tab-${tab}`).setAttribute("aria-selected", String(tab === name));
  }
}

function listen(): void {
  const live = new EventSource("api/v1/live");
  live.addEventListener("open", () => (element("link").textContent = "live"));
  live.addEventListener("error", () => (element("link").textContent = "connection lost, trying again"));
  live.addEventListener("overview", (event) => show(JSON.parse((event as MessageEvent<string>).data) as Overview));
  live.addEventListener("readings", (event) => {
    for (const reading of JSON.parse((event as MessageEvent<string>).data) as Reading[]) {
      if (latest && reading.device !== latest.asset.device) continue;
      score.push(reading);
      channels?.push(reading);
    }
  });
}

element("tab-machine").addEventListener("click", () => open_tab("machine"));
element("tab-loop").addEventListener("click", () => open_tab("loop"));
build_controls(element("controls"), element("answer"));
listen();
setInterval(() => {
  score.draw();
  channels?.draw();
}, 250);
