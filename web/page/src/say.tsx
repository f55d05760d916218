import { languages } from "./language";
import type { Text } from "./model";

const tags = { en: "en", zh: "zh-CN" };

/** A text in the reader's languages, each marked as what it is. */
export function Say({ text }: { text: Text }) {
  if (!text.en && !text.zh) return null;
  return (
    <>
      {languages().map((l) => (
        <span key={l} lang={tags[l]} class="say">
          {text[l]}
        </span>
      ))}
    </>
  );
}
