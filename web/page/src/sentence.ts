import { wait } from "./format";
import { inLanguage } from "./language";
import type { Event, Part, Segment, Text } from "./model";

const fates: Record<string, string> = {
  "in flight": "在途",
  delivered: "已到达",
  "random loss": "随机丢包",
  "queue full": "队列已满",
  unplugged: "链路已断开",
  "dropped on purpose": "人为丢弃",
  "too large": "超过链路的 MTU",
  "dropped by the queue": "被队列管理丢弃",
  "no route": "路由器没有去路",
};

/** What became of a segment. */
export function fateWords(fate: string): Text {
  return { en: fate, zh: fates[fate] ?? fate };
}

/** A segment as a sentence, for those who hear the ladder. */
export function segmentSentence(s: Segment): string {
  const what = s.header
    ? { en: `Segment ${s.number}`, zh: `报文段 ${s.number}` }
    : { en: `Packet ${s.number}`, zh: `数据包 ${s.number}` };
  const flags = s.header?.flags.join(", ") ?? s.words ?? "";
  const fate =
    s.ended < 0
      ? { en: "on its way", zh: "在途" }
      : s.lost
        ? { en: `lost (${fateWords(s.fate).en})`, zh: `丢失（${fateWords(s.fate).zh}）` }
        : { en: `arrives after ${wait(s.ended - s.sent)}`, zh: `${wait(s.ended - s.sent)} 后到达` };
  const again = s.repeats
    ? { en: ` It is #${s.repeats} again.`, zh: `它是 #${s.repeats} 的重传。` }
    : { en: "", zh: "" };
  return inLanguage({
    en: `${what.en} from ${s.from} to ${s.to}: ${flags}, ${s.len} bytes, ${fate.en}.${again.en} ${s.text.en}`,
    zh: `${what.zh}，${s.from} 到 ${s.to}：${flags}，${s.len} 字节，${fate.zh}。${again.zh}${s.text.zh}`,
  });
}

/** What happens at an event, in a sentence. */
export function eventSentence(e: Event, part: Part): string {
  if (e.segment !== undefined) {
    const s = part.segments[e.segment];
    if (e.kind === "send") return segmentSentence(s);
    const words = {
      arrive: { en: "arrives at", zh: "到达" },
      lose: { en: "is lost on the way to", zh: "丢失，目的地" },
    };
    const w = words[e.kind as "arrive" | "lose"];
    return inLanguage({
      en: `${s.header ? "Segment" : "Packet"} ${s.number} ${w.en} ${s.to}: ${s.text.en}`,
      zh: `${s.header ? "报文段" : "数据包"} ${s.number} ${w.zh} ${s.to}：${s.text.zh}`,
    });
  }
  const what = e.kind === "state" ? `${e.from} → ${e.to}` : e.timer ? e.timer : e.call ? `${e.call}()` : "";
  // Most texts of calls that fail say why.
  const error = e.error && !e.text.en.includes(e.error) ? e.error : "";
  return inLanguage({
    en: (e.host ? `${e.host}: ` : "") + (what && `${what}. `) + e.text.en + (error && ` (${error})`),
    zh: (e.host ? `${e.host}：` : "") + (what && `${what}。`) + e.text.zh + (error && `（${error}）`),
  });
}
