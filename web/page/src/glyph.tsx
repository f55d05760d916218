/**
 * Shapes that tell kinds apart without their colours, about 10 by 10 around the origin. They are paths, not
 * letters: no font has all of them.
 */
const glyphs = {
  syn: "M-5 0L0-5 5 0 0 5z",
  fin: "M-4-4h8v8h-8z",
  rst: "M-4-4L4 4M4-4L-4 4",
  data: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
  probe: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
  ack: "M-3-4L4 0-3 4z",
  again: "M3-3A4.3 4.3 0 1 0 4.3 1M4.5-5.5v4h-4",
  udp: "M-5-2.5h10v5h-10z",
  control: "M0-5L5 4H-5z",
  call: "M-4-4.5L4 0-4 4.5z",
  timer: "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0zM0-3v3l2.5 1.5",
  drop: "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0zM-3.5 3.5l7-7",
};

export type GlyphName = keyof typeof glyphs;

/** Shapes that are lines, not areas. */
const hollow = new Set<GlyphName>(["rst", "probe", "again", "call", "timer", "drop"]);

export function Glyph({ name, x, y, flip }: { name: GlyphName; x: number; y: number; flip?: boolean }) {
  return (
    <path
      class={hollow.has(name) ? "glyph hollow" : "glyph"}
      d={glyphs[name]}
      transform={`translate(${x} ${y})${flip ? " scale(-1 1)" : ""}`}
    />
  );
}
