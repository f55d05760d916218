import { batch, computed, effect, signal } from "@preact/signals";
import { getPart, getRun, openFeed, postRecipe } from "./api";
import { language, type Language } from "./language";
import type { About, Part, Recipe } from "./model";
import { fromLink, newRecipe, toLink } from "./recipe";
import type { Filter } from "./layout";
import { partSize, type Run } from "./run";

export type Theme = "system" | "light" | "dark";

export const about = signal<About>({ scenarios: [], saves: false });
export const run = signal<Run | undefined>(undefined);
/** The event that the reader looks at. */
export const at = signal(0);
export const playing = signal(false);
export const speed = signal(1);
export const filter = signal<Filter>("shown");
export const connection = signal(0);
export const theme = signal<Theme>("system");
export const feedOpen = signal(false);
export const problem = signal("");
export const singleKeys = signal(true);
export const whyOpen = signal(false);

/** The recipes of this visit; undo goes back in them. */
const history = signal<Recipe[]>([]);
const place = signal(-1);
export const recipe = computed(() => history.value[place.value] ?? newRecipe("handshake"));
export const canUndo = computed(() => place.value > 0);
export const canRedo = computed(() => place.value < history.value.length - 1);

/** The run that was asked for last; one that comes later than another is not shown. */
let wanted = "";
/** The run that the feed told of last: it may do so before the request is answered. */
let ready = "";

export function setRecipe(r: Recipe) {
  const link = "#" + toLink(r);
  if (link !== location.hash) window.history.pushState(null, "", link);
  add(r);
}

/** Goes where the address says: back, forward, or to a link that was put in. */
function follow(r: Recipe) {
  const link = toLink(r);
  const next = [place.value - 1, place.value + 1].find(
    (k) => history.value[k] && toLink(history.value[k]) === link,
  );
  if (next === undefined) return add(r);
  place.value = next;
  void play();
}

function add(r: Recipe) {
  batch(() => {
    history.value = [...history.value.slice(0, place.value + 1), r];
    place.value = history.value.length - 1;
  });
  void play();
}

export function travel(direction: 1 | -1) {
  const next = place.value + direction;
  if (next < 0 || next >= history.value.length) return;
  place.value = next;
  void play();
}

/** Does something to the run: plays it again with one intervention more. */
export function intervene(text: string) {
  setRecipe({ ...recipe.value, do: [...recipe.value.do, text] });
}

async function play() {
  const r = recipe.value;
  window.history.replaceState(null, "", "#" + toLink(r));
  playing.value = false;
  if (!feedOpen.value) return; // the feed's hello plays it
  ready = "";
  try {
    wanted = await postRecipe(r);
    problem.value = "";
    if (ready === wanted) void show(wanted);
  } catch (e) {
    problem.value = (e as Error).message;
  }
}

/** Shows a run that was played. */
async function show(id: string) {
  ready = id;
  if (id !== wanted) return;
  try {
    const next = await getRun(id);
    if (id !== wanted) return;
    batch(() => {
      const old = run.value;
      const same = old?.model.scenario.name === next.model.scenario.name;
      parts.clear();
      parts.set(0, signal(next.model));
      run.value = next;
      at.value = same ? Math.min(at.value, next.count - 1) : 0;
      if (!same) filter.value = next.strangers() ? "all" : "shown";
      if (!same || connection.value >= next.model.connections.length)
        connection.value = next.firstConnection();
      problem.value = "";
    });
  } catch (e) {
    problem.value = (e as Error).message;
  }
}

/** Parts of the run, by their place; each is asked for when it is first looked at. */
const parts = new Map<number, ReturnType<typeof signal<Part | undefined>>>();
const maxParts = 60;

/** The part that has the event, undefined until it came. */
export function partOf(event: number): Part | undefined {
  const r = run.value;
  if (!r) return undefined;
  const k = Math.floor(event / partSize);
  let part = parts.get(k);
  if (!part) {
    part = signal<Part | undefined>(undefined);
    if (parts.size >= maxParts) parts.delete(parts.keys().next().value!);
    parts.set(k, part);
    const here = part;
    getPart(r.id, k * partSize, partSize).then(
      (p) => (here.value = p),
      (e: Error) => {
        parts.delete(k);
        problem.value = e.message;
        if (run.value === r) void play(); // the server may have forgotten the run
      },
    );
  }
  return part.value;
}

export function seekTo(event: number) {
  if (run.value) at.value = Math.max(0, Math.min(event, run.value.count - 1));
}

export function start(a: About) {
  about.value = a;
  restore();
  const first = fromLink(location.hash) ?? newRecipe(a.scenarios[0].name);
  history.value = [first];
  place.value = 0;
  window.addEventListener("hashchange", () => {
    const r = fromLink(location.hash);
    if (r && toLink(r) !== toLink(recipe.value)) follow(r);
  });
  openFeed({
    hello: () => {
      feedOpen.value = true;
      void play();
    },
    lost: () => (feedOpen.value = false),
    run: (id, error) => {
      if (error) problem.value = error;
      else void show(id);
    },
  });
}

/** What the reader chose last time. */
function restore() {
  const preferred: Language = navigator.language.startsWith("zh") ? "zh" : "en";
  language.value = (localStorage.getItem("language") as Language | null) ?? preferred;
  theme.value = (localStorage.getItem("theme") as Theme | null) ?? "system";
  singleKeys.value = localStorage.getItem("keys") !== "off";
  effect(() => {
    localStorage.setItem("language", language.value);
    document.documentElement.lang = language.value === "en" ? "en" : "zh-CN";
  });
  effect(() => {
    localStorage.setItem("theme", theme.value);
    document.documentElement.dataset.theme = theme.value;
  });
  effect(() => localStorage.setItem("keys", singleKeys.value ? "on" : "off"));
}
