import { useEffect, useRef } from "preact/hooks";
import { advance, interval, step, toggle, unit, type Unit } from "./actions";
import { seconds } from "./format";
import { t } from "./language";
import { Kind, type Run } from "./run";
import { at, playing, run, seekTo, speed } from "./store";
import { color, onThemeChange } from "./theme";

const units: [Unit, Parameters<typeof t>[0]][] = [
  ["event", "byEvent"],
  ["segment", "bySegment"],
  ["state", "byState"],
  ["timer", "byTimer"],
  ["caption", "byCaption"],
];

export function Transport() {
  const r = run.value;
  const on = playing.value;
  const ms = interval();
  useEffect(() => {
    if (!on) return;
    const timer = setInterval(advance, ms);
    return () => clearInterval(timer);
  }, [on, ms]);
  const last = (r?.count ?? 1) - 1;
  const now = r ? seconds(r.time[at.value]) : "0";
  return (
    <section class="transport" id="transport" aria-label={t("transport")}>
      <div class="buttons">
        <Button label={t("toStart")} keys="Home" onClick={() => seekTo(0)} icon="M3 3v10M13 3v10L5 8z" />
        <Button label={t("back")} keys="ArrowLeft" onClick={() => step(-1)} icon="M12 3v10L4 8z" />
        <Button
          label={on ? t("pause") : t("play")}
          keys="Space"
          onClick={toggle}
          icon={on ? "M5 3v10M11 3v10" : "M4 2v12l10-6z"}
          main
        />
        <Button label={t("forward")} keys="ArrowRight" onClick={() => step(1)} icon="M4 3v10l8-5z" />
        <Button label={t("toEnd")} keys="End" onClick={() => seekTo(last)} icon="M13 3v10M3 3v10l8-5z" />
      </div>
      <label>
        {t("stepBy")}{" "}
        <select value={unit.value} onChange={(e) => (unit.value = e.currentTarget.value as Unit)}>
          {units.map(([u, key]) => (
            <option key={u} value={u}>
              {t(key)}
            </option>
          ))}
        </select>
      </label>
      <label>
        {t("speed")}{" "}
        <select value={speed.value} onChange={(e) => (speed.value = Number(e.currentTarget.value))}>
          {[0.25, 0.5, 1, 2, 5, 20].map((s) => (
            <option key={s} value={s}>
              {s}×
            </option>
          ))}
        </select>
      </label>
      <div class="scrubber">
        {r && <ScrubberMarks run={r} />}
        <input
          type="range"
          min={0}
          max={last}
          value={at.value}
          aria-label={t("position")}
          aria-valuetext={`${now} s, ${at.value + 1} / ${last + 1}`}
          onInput={(e) => seekTo(Number(e.currentTarget.value))}
        />
      </div>
      <output class="time">
        {now} s{" "}
        <span class="faint">
          {at.value + 1}/{last + 1}
        </span>
      </output>
    </section>
  );
}

interface ButtonProps {
  label: string;
  keys: string;
  icon: string; // the path of a drawing in 16 by 16
  main?: boolean;
  onClick(): void;
}

function Button({ label, keys, icon, main, onClick }: ButtonProps) {
  return (
    <button
      type="button"
      class={main ? "main" : ""}
      aria-label={label}
      aria-keyshortcuts={keys}
      title={`${label} (${keys})`}
      onClick={onClick}
    >
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
        <path d={icon} />
      </svg>
    </button>
  );
}

/** Marks on the scrubber, each kind with a height of its own: losses, what was sent again, states, captions. */
function ScrubberMarks({ run: r }: { run: Run }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const draw = () => canvas.current && paint(canvas.current, r);
    const observer = new ResizeObserver(draw);
    observer.observe(canvas.current!);
    const stop = onThemeChange(draw);
    return () => {
      observer.disconnect();
      stop();
    };
  }, [r]);
  return <canvas ref={canvas} aria-hidden="true" />;
}

function paint(canvas: HTMLCanvasElement, r: Run) {
  const scale = devicePixelRatio;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const g = canvas.getContext("2d")!;
  g.scale(scale, scale);
  const { kind, packet, segments } = r.outline;
  const x = (event: number) => 8 + (event / Math.max(r.count - 1, 1)) * (width - 16);
  const done = new Set<string>(); // one mark for each pixel and kind
  const mark = (event: number, what: string, paintColor: string, top: number, tall: number) => {
    const key = what + Math.round(x(event));
    if (done.has(key)) return;
    done.add(key);
    g.fillStyle = color(paintColor);
    g.fillRect(x(event) - 1, top, 2, tall);
  };
  for (let i = 0; i < r.count; i++) {
    const row = r.rowOf(packet[i]);
    if (kind[i] === Kind.lose) mark(i, "lose", "--lost", 0, height);
    else if (kind[i] === Kind.send && row >= 0 && segments.repeats[row])
      mark(i, "again", "--again", 0, height * 0.7);
    else if (kind[i] === Kind.state) mark(i, "state", "--accent", height * 0.5, height * 0.5);
    else if (kind[i] === Kind.note) mark(i, "note", "--faint", height * 0.75, height * 0.25);
  }
}
