// What a person can do from the page. Each call says on the page whether it was accepted.

export async function post(path: string, body: unknown): Promise<string> {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(body),
  });
  if (response.ok) return "";
  const text = await response.text();
  try {
    const problem = JSON.parse(text) as { title?: string; detail?: string };
    return [problem.title, problem.detail].filter(Boolean).join(": ") || `${response.status}`;
  } catch {
    return text || `${response.status}`;
  }
}

interface Control {
  text: string;
  body: Record<string, unknown>;
}

const controls: Control[] = [
  { text: "Break: I do not want to know how", body: { action: "break" } },
  { text: "Bearing wear", body: { action: "break", kind: "bearing-wear" } },
  { text: "Imbalance", body: { action: "break", kind: "imbalance" } },
  { text: "Overload", body: { action: "break", kind: "overload" } },
  { text: "Blocked flow", body: { action: "break", kind: "blocked-flow" } },
  { text: "Repair", body: { action: "repair" } },
  { text: "Change the load", body: { action: "load", level: 1 } },
  { text: "Load as before", body: { action: "load", level: 0 } },
  { text: "Block the backup pump", body: { action: "block-backup", blocked: true } },
  { text: "Free the backup pump", body: { action: "block-backup", blocked: false } },
];

export function build_controls(host: HTMLElement, answer: HTMLElement): void {
  for (const control of controls) {
    const button = document.createElement("button");
    button.textContent = control.text;
    button.dataset["action"] = String(control.body["kind"] ?? control.body["action"]);
    button.addEventListener("click", () => {
      void post("api/v1/plant", control.body).then((problem) => {
        answer.textContent = problem ? `Not done: ${problem}` : `Done: ${control.text.toLowerCase()}`;
      });
    });
    host.append(button);
  }
}
