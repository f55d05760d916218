import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { expect, test as base, type Page } from "@playwright/test";

/** A page that must not say anything on the console: neither errors nor what the content policy forbids. */
export const test = base.extend<{ page: Page }>({
  page: async ({ page }, use) => {
    const said: string[] = [];
    page.on("pageerror", (e) => said.push(String(e)));
    page.on("console", (m) => {
      if (m.type() === "error" || m.type() === "warning") said.push(m.text());
    });
    await use(page);
    // A request that the server refuses is no mistake of the page.
    const mistakes = said.filter((s) => !s.includes("status of 400"));
    expect(mistakes, "what the console says").toEqual([]);
  },
});

export { expect };

/** Opens a scenario and waits until it is there to be used; the answer is how many milliseconds that took. */
export async function open(page: Page, recipe: string, server = "/"): Promise<number> {
  const begin = Date.now();
  await page.goto(`${server}#scenario=${recipe}`);
  await page
    .locator(".transport output")
    .filter({ hasText: /\b1\/\d\d/ })
    .waitFor();
  await page.locator("button.main").click({ trial: true });
  return Date.now() - begin;
}

/** The event that the page is at, from 1, and how many there are. */
export async function position(page: Page): Promise<[number, number]> {
  const text = await page.locator(".transport output .faint").innerText();
  const [at, count] = text.split("/").map(Number);
  return [at, count];
}

/** The rows of the segment with the number; a duplicate has a row of its own. */
export const arrow = (page: Page, packet: number) => page.locator(`.arrow[data-packet="${packet}"]`);

/** A server of the test's own, at a port (0: any that is free); resolves to where it is. */
export async function serve(port: number): Promise<[ChildProcess, string]> {
  const child = spawn("test-results/trivet", ["lab", "serve", "--listen", `127.0.0.1:${port}`]);
  const [said] = await once(child.stdout, "data");
  return [child, /http:\S+/.exec(String(said))![0]];
}
