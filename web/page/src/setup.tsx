import { inLanguage, language, t, type Language } from "./language";
import type { Param } from "./model";
import { newRecipe } from "./recipe";
import { about, feedOpen, problem, recipe, setRecipe, theme, type Theme } from "./store";

/** What is played, and how the page looks. */
export function Setup() {
  const r = recipe.value;
  const scenario = about.value.scenarios.find((s) => s.name === r.scenario);
  return (
    <header class="setup">
      <h1>
        <img src="/icon.svg" alt="" width={28} height={28} /> {t("lab")}
      </h1>
      <label>
        {t("scenario")}{" "}
        <select
          id="scenario"
          value={r.scenario}
          onChange={(e) => setRecipe({ ...newRecipe(e.currentTarget.value), seed: r.seed })}
        >
          {!scenario && <option value={r.scenario}>{r.scenario}</option>}
          {about.value.scenarios.map((s) => (
            <option key={s.name} value={s.name}>
              {inLanguage(s.title)}
            </option>
          ))}
        </select>
      </label>
      <label>
        {t("seed")}{" "}
        <input
          type="number"
          min={0}
          max={Number.MAX_SAFE_INTEGER}
          value={r.seed}
          onChange={(e) => {
            const seed = e.currentTarget.valueAsNumber;
            if (Number.isSafeInteger(seed) && seed >= 0) setRecipe({ ...r, seed });
          }}
        />
      </label>
      <label>
        {t("language")}{" "}
        <select value={language.value} onChange={(e) => (language.value = e.currentTarget.value as Language)}>
          <option value="zh">中文</option>
          <option value="en">English</option>
          <option value="both">中文 / English</option>
        </select>
      </label>
      <label>
        {t("theme")}{" "}
        <select value={theme.value} onChange={(e) => (theme.value = e.currentTarget.value as Theme)}>
          <option value="system">{t("themeSystem")}</option>
          <option value="light">{t("themeLight")}</option>
          <option value="dark">{t("themeDark")}</option>
        </select>
      </label>
      <p class={feedOpen.value ? "feed" : "feed lost"} role="status">
        {feedOpen.value ? `● ${t("feedOpen")}` : `▲ ${t("feedLost")}`}
      </p>
      {scenario && (
        <details class="params">
          <summary>{t("parameters")}</summary>
          <div class="grid">
            {scenario.params.map((p) => (
              <Parameter key={p.name} param={p} />
            ))}
          </div>
        </details>
      )}
      {problem.value && (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      )}
    </header>
  );
}

function Parameter({ param: p }: { param: Param }) {
  const r = recipe.value;
  const given = r.params[p.name] ?? p.default;
  const set = (v: string) => {
    const params = { ...r.params };
    if (v === "" || v === p.default) delete params[p.name];
    else params[p.name] = v;
    setRecipe({ ...r, params });
  };
  const choices = p.kind === "switch" ? ["off", "on"] : p.choices;
  return (
    <label>
      <b>{p.name}</b>
      {choices ? (
        <select value={given} onChange={(e) => set(e.currentTarget.value)}>
          {choices.map((c) => (
            <option key={c}>{c}</option>
          ))}
        </select>
      ) : (
        <input type="text" value={given} onChange={(e) => set(e.currentTarget.value.trim())} />
      )}
      <span class="faint">{inLanguage(p.text)}</span>
    </label>
  );
}
