import { t } from "./language";
import type { About, Model, Outline, Part, Recipe } from "./model";
import { Run } from "./run";

/** This tab, for its feed. */
const tab = Array.from(crypto.getRandomValues(new Uint32Array(2)), (n) => n.toString(36)).join("");

async function ask<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await fetch(path, init).catch(() => {
    throw new Error(t("feedLost")); // the browser's own words are not for readers
  });
  const body = await response.json();
  if (!response.ok) throw new Error(body.error ?? response.statusText);
  return body as T;
}

function post<T>(path: string, value: unknown): Promise<T> {
  return ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(value),
  });
}

export const getAbout = () => ask<About>("/api/scenarios");

/** Has a recipe played; the feed tells when it is. */
export async function postRecipe(r: Recipe): Promise<string> {
  return (await post<{ id: string }>(`/api/play?tab=${tab}`, r)).id;
}

export async function getRun(id: string): Promise<Run> {
  const [model, outline] = await Promise.all([
    ask<Model>(`/api/runs/${id}`),
    ask<Outline>(`/api/runs/${id}/outline`),
  ]);
  return new Run(id, model, outline);
}

export const getPart = (id: string, first: number, count: number) =>
  ask<Part>(`/api/runs/${id}/events?first=${first}&count=${count}`);

export const saveRun = (id: string) => post<{ folder: string }>(`/api/runs/${id}/save`, {});

export interface FeedHandlers {
  hello(): void;
  lost(): void;
  run(id: string, error?: string): void;
}

/** The longest silence of a feed that lives: the server's beat is 5 s. */
const silence = 12_000;

/** Opens the tab's one feed, and opens it anew whenever it is lost. */
export function openFeed(handlers: FeedHandlers) {
  const source = new EventSource(`/api/feed?tab=${tab}`);
  let watchdog = 0;
  const alive = () => {
    clearTimeout(watchdog);
    watchdog = window.setTimeout(again, silence);
  };
  const again = () => {
    clearTimeout(watchdog);
    source.close();
    handlers.lost();
    window.setTimeout(() => openFeed(handlers), 1000);
  };
  source.onerror = again;
  source.addEventListener("hello", () => {
    alive();
    handlers.hello();
  });
  source.addEventListener("beat", alive);
  source.addEventListener("run", (e) => {
    alive();
    const news = JSON.parse(e.data) as { id: string; error?: string };
    handlers.run(news.id, news.error);
  });
  alive();
}
