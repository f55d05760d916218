import { signal } from "@preact/signals";
import type { Text } from "./model";
import { catalogue, type Key } from "./catalogue";

export type Language = "en" | "zh" | "both";

export const language = signal<Language>("en");

/** A word of the page itself. */
export function t(key: Key): string {
  return inLanguage({ en: catalogue[key][0], zh: catalogue[key][1] });
}

/** A text on one line. */
export function inLanguage(text: Text): string {
  switch (language.value) {
    case "en":
      return text.en;
    case "zh":
      return text.zh;
    case "both":
      return text.en === text.zh ? text.en : `${text.zh} ${text.en}`;
  }
}

/** The languages of the reader, in order. */
export function languages(): ("en" | "zh")[] {
  return language.value === "both" ? ["zh", "en"] : [language.value];
}
