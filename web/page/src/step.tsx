import { seconds } from "./format";
import { t } from "./language";
import type { Event, Part } from "./model";
import type { Run } from "./run";
import { Say } from "./say";
import { eventSentence } from "./sentence";
import { at, partOf, playing, problem, run, whyOpen } from "./store";

/** The sentence of the current step, and why it is so. */
export function StepPanel() {
  const r = run.value;
  // What is wrong with the recipe is said above.
  if (!r) return <p class="panel step">{t(problem.value ? "notPlayed" : "loading")}</p>;
  // A caption speaks of its own moment: before the first one the title has the word.
  const caption = r.stepAt(at.value)?.text ?? r.model.scenario.title;
  const part = partOf(at.value);
  const event = part?.events[at.value - part.window.first_event];
  const sentence = part && event ? eventSentence(event, part) : "";
  return (
    <section class="panel step" aria-label={t("step")}>
      <p class="caption">
        <Say text={caption} />
      </p>
      <p class="now">
        <span class="faint">{seconds(r.time[at.value])} s</span> {sentence}
      </p>
      <p class="unseen" role="status" aria-live="polite">
        {playing.value ? "" : sentence}
      </p>
      <button
        type="button"
        aria-expanded={whyOpen.value}
        aria-keyshortcuts="W"
        onClick={() => (whyOpen.value = !whyOpen.value)}
      >
        {t("why")}
      </button>
      {whyOpen.value && <Why run={r} part={part} event={event} />}
    </section>
  );
}

/** The rule of the moment and the reason of the scenario, each with where it is written. */
function Why({ run: r, part, event }: { run: Run; part?: Part; event?: Event }) {
  const rules = part && event ? rulesAt(part, event) : [];
  const s = r.model.scenario;
  return (
    <div class="why">
      {rules.map((e) => (
        <p key={e.rule}>
          <Say text={e.text} /> <cite>{e.cite}</cite> <code>{e.rule}</code>
        </p>
      ))}
      <p>
        <Say text={s.why} /> <cite>{s.cite}</cite>
      </p>
    </div>
  );
}

/** The rules that fired at the moment of an event, at its host if it has one. */
function rulesAt(part: Part, event: Event): Event[] {
  const list: Event[] = [];
  for (const e of part.events) {
    if (e.time !== event.time || !e.rule || (event.host && e.host !== event.host)) continue;
    if (!list.some((x) => x.rule === e.rule)) list.push(e);
  }
  return list;
}

/** What the run shows in the end. */
export function Results() {
  const r = run.value;
  if (!r) return null;
  return (
    <section class="panel results" aria-label={t("findings")}>
      <h2>{t("findings")}</h2>
      <ul>
        {r.model.findings.flatMap((f) =>
          f.texts.map((text, i) => (
            <li key={`${f.connection}.${i}`}>
              <Say text={text} />
            </li>
          )),
        )}
      </ul>
      <h3>{t("checks")}</h3>
      <ul class="checks">
        {r.model.checks.map((c, i) => (
          <li key={i} class={c.ok ? "good" : "bad"}>
            {c.ok ? "✔" : "✘"} <span class="unseen">{t(c.ok ? "held" : "failed")}: </span>
            <Say text={c.text} />
            {c.got ? ` (${c.got})` : ""}
          </li>
        ))}
      </ul>
    </section>
  );
}
