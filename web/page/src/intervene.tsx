import { signal } from "@preact/signals";
import { flying, interfere, moment, pass, type SegmentAction } from "./actions";
import { t } from "./language";
import { canRedo, canUndo, intervene, recipe, run, setRecipe, travel } from "./store";

const fates: [SegmentAction, string][] = [
  ["drop", "D"],
  ["delay", "L"],
  ["duplicate", "2"],
  ["reorder", "R"],
  ["corrupt", "X"],
];

const injectFrom = signal("client");
const actOn = signal("server");

/** What can be done to the run at the cursor. Each plays the run again with one more thing done. */
export function Interventions() {
  const r = run.value;
  if (!r) return null;
  const row = flying();
  const number = row < 0 ? 0 : Math.max(r.outline.segments.packet[row], 0);
  const when = moment();
  return (
    <section class="panel interventions" aria-label={t("interventions")}>
      <div class="bar">
        <h2>{t("interventions")}</h2>
        <span class="pushed">
          <button type="button" disabled={!canUndo.value} onClick={() => travel(-1)} aria-keyshortcuts="U">
            ↶ {t("undo")}
          </button>
          <button
            type="button"
            disabled={!canRedo.value}
            onClick={() => travel(1)}
            aria-keyshortcuts="Shift+U"
          >
            ↷ {t("redo")}
          </button>
        </span>
      </div>
      <div class="row" role="group" aria-label={`${t("inspector")} ${number ? `#${number}` : ""}`}>
        <b>{number ? `#${number} ${t("inFlight")}:` : t("notInFlight")}</b>
        {number > 0 && (
          <>
            <button type="button" onClick={pass} aria-keyshortcuts="P">
              {t("pass")}
            </button>
            {fates.map(([action, key]) => (
              <button type="button" key={action} aria-keyshortcuts={key} onClick={() => interfere(action)}>
                {t(action)}
              </button>
            ))}
          </>
        )}
      </div>
      <div class="row" role="group" aria-label={t("inject")}>
        <HostChoice label={t("injectFrom")} choice={injectFrom} />
        {["rst", "syn", "ack"].map((what) => (
          <button
            type="button"
            key={what}
            aria-label={`${t("inject")} ${what.toUpperCase()}`}
            onClick={() => intervene(`at ${when} inject ${what} from ${injectFrom.value}`)}
          >
            {what.toUpperCase()}
          </button>
        ))}
      </div>
      <div class="row" role="group" aria-label={t("host")}>
        <HostChoice label={t("host")} choice={actOn} />
        {(["close", "crash", "stop-reading"] as const).map((what) => (
          <button type="button" key={what} onClick={() => intervene(`at ${when} ${what} ${actOn.value}`)}>
            {t(what === "stop-reading" ? "stopReading" : what)}
          </button>
        ))}
      </div>
      <div class="row" role="group" aria-label={t("cable")}>
        {t("cable")}
        <button type="button" onClick={() => intervene(`at ${when} unplug`)}>
          {t("unplug")}
        </button>
        <button type="button" onClick={() => intervene(`at ${when} plug`)}>
          {t("plug")}
        </button>
      </div>
      <Done />
    </section>
  );
}

function HostChoice({ label, choice }: { label: string; choice: { value: string } }) {
  return (
    <label>
      {label}{" "}
      <select value={choice.value} onChange={(e) => (choice.value = e.currentTarget.value)}>
        <option value="client">client</option>
        <option value="server">server</option>
      </select>
    </label>
  );
}

/** What was done so far, each to be taken back. */
function Done() {
  const r = recipe.value;
  if (r.do.length === 0) return null;
  return (
    <>
      <h3>{t("done")}</h3>
      <ul class="done">
        {r.do.map((text, i) => (
          <li key={text + i}>
            <code>{text}</code>{" "}
            <button
              type="button"
              aria-label={`${t("remove")}: ${text}`}
              onClick={() => setRecipe({ ...r, do: r.do.filter((_, k) => k !== i) })}
            >
              ✕
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
