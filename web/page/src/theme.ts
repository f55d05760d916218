import { theme } from "./store";

const known = new Map<string, string>();

/** The value of a colour of the style sheet, for canvases. */
export function color(name: string): string {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const key = `${name} ${document.documentElement.dataset.theme} ${dark}`;
  let value = known.get(key);
  if (!value) known.set(key, (value = look(name)));
  return value;
}

function look(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

/** Calls back when the reader or the system changes the theme. */
export function onThemeChange(f: () => void): () => void {
  const media = matchMedia("(prefers-color-scheme: dark)");
  const later = () => requestAnimationFrame(f);
  media.addEventListener("change", later);
  const stop = theme.subscribe(later);
  return () => {
    media.removeEventListener("change", later);
    stop();
  };
}
