import { signal } from "@preact/signals";
import { saveRun } from "./api";
import { t } from "./language";
import { toCommand, toLink } from "./recipe";
import { about, recipe, run } from "./store";

const files = [
  "wire.pcapng",
  "client.pcapng",
  "server.pcapng",
  "run.sqlog",
  "ladder.txt",
  "ladder.svg",
  "run.json",
];

const saved = signal("");

/** The run as a link, as a command line, and as files. */
export function Share() {
  const r = run.value;
  const link = `${location.origin}/#${toLink(recipe.value)}`;
  return (
    <section class="panel share" aria-label={t("share")}>
      <h2>{t("share")}</h2>
      <Line name={t("link")} text={link} />
      <Line name={t("command")} text={toCommand(recipe.value)} />
      {r && (
        <p class="files">
          {t("files")}:{" "}
          {files.map((name) => (
            <a key={name} href={`/api/runs/${r.id}/files/${name}`} download>
              {name}
            </a>
          ))}
        </p>
      )}
      {r && about.value.saves && (
        <p>
          <button type="button" onClick={() => save(r.id)}>
            {t("save")}
          </button>{" "}
          <span role="status">{saved.value}</span>
        </p>
      )}
    </section>
  );
}

async function save(id: string) {
  try {
    saved.value = `${t("saved")} ${(await saveRun(id)).folder}`;
  } catch (e) {
    saved.value = (e as Error).message;
  }
}

const copied = signal("");

function Line({ name, text }: { name: string; text: string }) {
  return (
    <div class="line">
      <label>
        {name}
        <input type="text" readOnly value={text} onFocus={(e) => e.currentTarget.select()} />
      </label>
      {navigator.clipboard && (
        <button
          type="button"
          aria-label={`${t("copy")}: ${name}`}
          onClick={() => navigator.clipboard.writeText(text).then(() => (copied.value = name))}
        >
          {copied.value === name ? t("copied") : t("copy")}
        </button>
      )}
    </div>
  );
}
