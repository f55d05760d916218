import { interfere, pass, step, toggle } from "./actions";
import { t } from "./language";
import { run, seekTo, singleKeys, speed, travel, whyOpen } from "./store";

/** Every key, what it does, and how the list of keys calls that. */
const keys: [string, () => void, () => string][] = [
  [" ", toggle, () => `${t("play")} / ${t("pause")}`],
  ["ArrowRight", () => step(1, "event"), () => `${t("forward")}: ${t("byEvent")}`],
  ["ArrowLeft", () => step(-1, "event"), () => `${t("back")}: ${t("byEvent")}`],
  ["n", () => step(1, "segment"), () => `${t("forward")}: ${t("bySegment")}`],
  ["N", () => step(-1, "segment"), () => `${t("back")}: ${t("bySegment")}`],
  ["s", () => step(1, "state"), () => `${t("forward")}: ${t("byState")}`],
  ["S", () => step(-1, "state"), () => `${t("back")}: ${t("byState")}`],
  ["t", () => step(1, "timer"), () => `${t("forward")}: ${t("byTimer")}`],
  ["T", () => step(-1, "timer"), () => `${t("back")}: ${t("byTimer")}`],
  ["c", () => step(1, "caption"), () => `${t("forward")}: ${t("byCaption")}`],
  ["C", () => step(-1, "caption"), () => `${t("back")}: ${t("byCaption")}`],
  ["Home", () => seekTo(0), () => t("toStart")],
  ["End", () => seekTo((run.value?.count ?? 1) - 1), () => t("toEnd")],
  ["+", () => (speed.value = Math.min(speed.value * 2, 20)), () => `${t("speed")} ×2`],
  ["-", () => (speed.value = Math.max(speed.value / 2, 0.25)), () => `${t("speed")} ÷2`],
  ["w", () => (whyOpen.value = !whyOpen.value), () => t("why")],
  ["p", pass, () => t("pass")],
  ["d", () => interfere("drop"), () => t("drop")],
  ["l", () => interfere("delay"), () => t("delay")],
  ["2", () => interfere("duplicate"), () => t("duplicate")],
  ["r", () => interfere("reorder"), () => t("reorder")],
  ["x", () => interfere("corrupt"), () => t("corrupt")],
  ["u", () => travel(-1), () => t("undo")],
  ["U", () => travel(1), () => t("redo")],
];

/** Keys that a control wants for itself while it has the focus. */
function taken(e: KeyboardEvent): boolean {
  const target = e.target as HTMLElement;
  if (target.closest("input, select, textarea")) return true;
  if (target.closest("button, summary, a")) return e.key === " " || e.key === "Enter";
  return target.closest(".scroll") !== null && (e.key === " " || e.key === "Home" || e.key === "End");
}

export function listenToKeys() {
  document.addEventListener("keydown", (e) => {
    if (!singleKeys.value || e.ctrlKey || e.metaKey || e.altKey || taken(e)) return;
    const found = keys.find(([key]) => key === e.key);
    if (!found) return;
    e.preventDefault();
    found[1]();
  });
}

const names: Record<string, string> = { " ": "Space", ArrowRight: "→", ArrowLeft: "←" };

/** The list of keys, and the switch for those who speak to their computer. */
export function Keys() {
  return (
    <section class="panel keys" aria-label={t("keys")}>
      <details>
        <summary>{t("keys")}</summary>
        <label>
          <input
            type="checkbox"
            checked={singleKeys.value}
            onChange={(e) => (singleKeys.value = e.currentTarget.checked)}
          />{" "}
          {t("keysOn")}
        </label>
        <dl>
          {keys.map(([key, , what]) => (
            <div key={key}>
              <dt>
                <kbd>{names[key] ?? key}</kbd>
              </dt>
              <dd>{what()}</dd>
            </div>
          ))}
        </dl>
      </details>
    </section>
  );
}
