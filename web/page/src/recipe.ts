import type { Recipe } from "./model";

export function newRecipe(scenario: string): Recipe {
  return { format: "trivet-lab-recipe/1", scenario, seed: 1, params: {}, do: [] };
}

/** The recipe as the part of a link that follows "#". */
export function toLink(r: Recipe): string {
  const q = new URLSearchParams({ scenario: r.scenario, seed: String(r.seed) });
  for (const [name, value] of Object.entries(r.params)) q.append("set", `${name}=${value}`);
  for (const text of r.do) q.append("do", text);
  return q.toString();
}

/** Reads a link; undefined if it names no scenario. The server checks the rest. */
export function fromLink(hash: string): Recipe | undefined {
  const q = new URLSearchParams(hash.replace(/^#/, ""));
  const scenario = q.get("scenario");
  if (!scenario) return undefined;
  const r = newRecipe(scenario);
  const seed = Number(q.get("seed") ?? "1");
  if (Number.isSafeInteger(seed) && seed >= 0) r.seed = seed;
  for (const pair of q.getAll("set")) {
    const at = pair.indexOf("=");
    if (at > 0) r.params[pair.slice(0, at)] = pair.slice(at + 1);
  }
  r.do = q.getAll("do");
  return r;
}

function quote(word: string): string {
  return /^[\w.=:/%-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The recipe as a command line. */
export function toCommand(r: Recipe): string {
  const words = ["trivet", "lab", "run", r.scenario, "--seed", String(r.seed)];
  for (const [name, value] of Object.entries(r.params)) words.push("--set", `${name}=${value}`);
  for (const text of r.do) words.push("--do", text);
  return words.map(quote).join(" ");
}
