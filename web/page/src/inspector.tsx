import { seconds, value, wait } from "./format";
import { inLanguage, t } from "./language";
import type { Event, Header, Part, Segment } from "./model";
import { variables, type Run } from "./run";
import { Say } from "./say";
import { fateWords } from "./sentence";
import { at, partOf, run } from "./store";

/** All about the segment at the cursor, and about the moment. */
export function Inspector() {
  const r = run.value;
  if (!r) return null;
  const part = partOf(at.value);
  const event = part?.events[at.value - part.window.first_event];
  const row = r.segmentAt(at.value);
  const segment = row < 0 ? undefined : segmentOf(r, row);
  return (
    <section class="panel inspector" aria-label={t("inspector")}>
      <h2>
        {t("inspector")} {segment && `#${segment.number}`}
      </h2>
      {segment ? <About segment={segment} now={at.value} run={r} row={row} /> : <p>{t("noSegment")}</p>}
      {segment && <Rules run={r} row={row} />}
      {segment?.header && <HeaderTable header={segment.header} segment={segment} />}
      {segment && <Hex hex={segment.hex} />}
      {part && event && <Variables run={r} part={part} event={event} />}
    </section>
  );
}

/** A segment with its details, from the part in which it was sent. */
function segmentOf(r: Run, row: number): Segment | undefined {
  const part = partOf(r.sentAt[row]);
  const index = part?.events[r.sentAt[row] - part.window.first_event]?.segment;
  return index === undefined ? undefined : part!.segments[index];
}

function About({ segment: s, now, run: r, row }: { segment: Segment; now: number; run: Run; row: number }) {
  const flying = r.inFlight(row, now);
  const fate = flying
    ? t("inFlight")
    : s.lost
      ? `${t("lost")}: ${inLanguage(fateWords(s.fate))}`
      : t("arrived");
  return (
    <>
      <p class="words">
        <code>{s.words ?? ""}</code>
      </p>
      <p>
        {s.from} → {s.to}, {seconds(s.sent)} s{!flying && s.ended >= 0 && ` + ${wait(s.ended - s.sent)}`}:{" "}
        <b class={s.lost && !flying ? "bad" : ""}>{fate}</b>
        {s.repeats ? ` · ↻ ${t("retransmission")}: #${s.repeats}` : ""}
      </p>
      <p>
        <Say text={s.text} />
      </p>
    </>
  );
}

/** The rules that fired where and when the segment arrived, up to the next one there. */
function Rules({ run: r, row }: { run: Run; row: number }) {
  const end = r.endedAt[row];
  const part = end < 0 ? undefined : partOf(end);
  if (!part) return null;
  const list: Event[] = [];
  const first = end - part.window.first_event;
  for (let i = first + 1; i < part.events.length; i++) {
    const e = part.events[i];
    if (e.host === part.events[first].host && (e.kind === "arrive" || e.time > part.events[first].time))
      break;
    if (e.rule && e.host === part.events[first].host && !list.some((x) => x.rule === e.rule)) list.push(e);
  }
  if (list.length === 0) return null;
  return (
    <details open>
      <summary>{t("rules")}</summary>
      <ul>
        {list.map((e, i) => (
          <li key={i}>
            <code>{e.rule}</code> <cite>{e.cite}</cite>
            <br />
            <Say text={e.text} />
          </li>
        ))}
      </ul>
    </details>
  );
}

function HeaderTable({ header: h, segment: s }: { header: Header; segment: Segment }) {
  const rows: [string, string][] = [
    [t("ports"), `${h.src_port} → ${h.dst_port}`],
    ["SEG.SEQ", `${h.seq} (${s.seq})`],
    ["SEG.ACK", h.flags.includes("ACK") ? `${h.ack} (${s.ack})` : "–"],
    ["SEG.LEN", String(s.len)],
    [t("flags"), h.flags.join(" ")],
    [t("window"), `${h.window} (${s.window})`],
  ];
  if (h.mss) rows.push(["MSS", String(h.mss)]);
  if (h.wscale !== undefined) rows.push([t("windowScale"), String(h.wscale)]);
  if (h.sack_ok) rows.push(["SACK", t("permitted")]);
  if (s.sack?.length) rows.push(["SACK", s.sack.map(([a, b]) => `${a}:${b}`).join(" ")]);
  if (h.ts_val !== undefined) rows.push([t("timestamp"), `${h.ts_val} / ${h.ts_ecr}`]);
  if (h.urgent) rows.push([t("urgent"), String(h.urgent)]);
  rows.push(["TTL, TOS", `${h.ttl}, ${h.tos}`]);
  return (
    <details open>
      <summary>{t("header")}</summary>
      <table>
        <tbody>
          {rows.map(([name, v]) => (
            <tr key={name + v}>
              <th scope="row">{name}</th>
              <td>{v}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

/** The bytes as sent, sixteen in a row, the first few hundred. */
function Hex({ hex }: { hex: string }) {
  const most = 640; // digits
  const rows: string[] = [];
  for (let i = 0; i < Math.min(hex.length, most); i += 32) {
    const bytes = hex.slice(i, i + 32).match(/../g) ?? [];
    rows.push(
      `${(i / 2).toString(16).padStart(4, "0")}  ${bytes.slice(0, 8).join(" ")}  ${bytes.slice(8).join(" ")}`,
    );
  }
  return (
    <details>
      <summary>
        {t("hex")} ({hex.length / 2})
      </summary>
      <pre tabIndex={0}>
        {rows.join("\n")}
        {hex.length > most ? "\n…" : ""}
      </pre>
    </details>
  );
}

/** The variables of the end at which the event happened, with what it changed marked. */
function Variables({ run: r, part, event }: { run: Run; part: Part; event: Event }) {
  if (event.after < 0 && event.before < 0) return null;
  const before = variables(part, event.before);
  const after = variables(part, event.after < 0 ? event.before : event.after);
  // Of a listener, a half-open connection and TIME-WAIT little is known.
  const known = r.model.fields.filter((f) => f.name in before || f.name in after);
  return (
    <details open>
      <summary>
        {t("variables")}: {event.host}
      </summary>
      <div class="wide" tabIndex={0} role="region" aria-label={t("variables")}>
        <table class="variables">
          <thead>
            <tr>
              <td />
              <th scope="col">{t("before")}</th>
              <th scope="col">{t("after")}</th>
            </tr>
          </thead>
          <tbody>
            {known.map((f) => {
              const changed = before[f.name] !== after[f.name];
              return (
                <tr key={f.name} class={changed ? "changed" : ""}>
                  <th scope="row" title={inLanguage(f.text)}>
                    {f.name}
                  </th>
                  <td class="number">{value(before[f.name], f.unit)}</td>
                  <td class="number">
                    {changed ? "● " : ""}
                    {value(after[f.name], f.unit)}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </details>
  );
}
