// What the console service says of the site: the shape of GET /api/v1/overview and of the live events.

export interface Step {
  number: number;
  title: string;
  done: boolean;
  at_unix_ms: number;
  took_ms: number;
  measured: string;
}

export interface Happening {
  kind: "fault" | "alarm" | "action" | "effect" | "repair" | "verdict" | "model" | "drift" | "note";
  at_unix_ms: number;
  text: string;
}

export interface Episode {
  id: number;
  device: string;
  level: number;
  state: string;
  severity: "none" | "potential" | "imminent";
  start_unix_ms: number;
  end_unix_ms: number; // 0 while it lasts
  peak: number;
  model: string;
  verdict: "open" | "true" | "false" | "maintenance" | "sensor";
  note: string;
  contributions: Record<string, number>;
  suspected: string; // the kind of fault, by level 2: "bearing-wear", "unclear"; "" where nobody said
  evidence: string;
}

export interface RunningModel {
  level: number;
  name: string;
  release: number;
  state: string;
}

export interface Channel {
  name: string;
  unit: string;
}

export interface Sensor {
  device: string;
  last_unix_ms: number;
  values: Record<string, number>;
}

export interface Overview {
  asset: { id: string; title: string; device: string; mode: string; channels: Channel[] };
  sentence: string;
  condition: "waiting" | "learning" | "healthy" | "suspected" | "acting" | "unknown";
  badge: string;
  limit: number;
  plant: boolean; // a simulated motor is there to be broken and repaired
  steps: Step[];
  timeline: Happening[];
  events: Happening[];
  episodes: Episode[];
  models: RunningModel[];
  sensors: Sensor[];
  judgement: string;
}

export interface Reading {
  device: string;
  at_unix_ms: number;
  values: Record<string, number>;
  level1: number | null;
  level2: number | null;
}
