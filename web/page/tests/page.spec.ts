import AxeBuilder from "@axe-core/playwright";
import { arrow, expect, open, states, test } from "./page";

test("opens in the reader's language and theme, and is told what there is", async ({ page }, info) => {
  await page.goto("/");
  await expect(page.locator(".ladder .arrow")).toHaveCount(3);
  const chinese = info.project.name === "light-zh";
  await expect(page.locator("h1")).toHaveText(chinese ? "Trivet 实验室" : "Trivet lab");
  await expect(page.locator("html")).toHaveAttribute("lang", chinese ? "zh-CN" : "en");
  expect(await page.locator("#scenario option").count()).toBeGreaterThanOrEqual(42);
  const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = Number(/\d+/.exec(background)![0]) > 128;
  expect(light).toBe(info.project.name !== "dark-en");
});

test("has no barrier that axe knows", async ({ page }) => {
  for (const recipe of ["scenario=handshake", "scenario=fast-retransmit", "scenario=syn-flood-cookies"]) {
    await open(page, recipe);
    await page.keyboard.press("End");
    await page.keyboard.press("w");
    await page.locator(".keys summary").click();
    await page.locator(".params summary").click();
    const found = await new AxeBuilder({ page }).analyze();
    expect(
      found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`),
    ).toEqual([]);
  }
});

test("nothing is wider than the window", async ({ page }) => {
  await open(page, "scenario=syn-flood-cookies");
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  expect(wide).toBeLessThanOrEqual(window);
});

test("steps through the handshake by keys, states and sockets with it", async ({ page }) => {
  await open(page, "scenario=handshake");
  await expect(states(page)).toHaveAttribute("aria-label", "client: CLOSED, server: LISTEN");
  await expect(page.locator(".sockets")).not.toContainText("SYN-SENT");
  const seen = [];
  for (let i = 0; i < 5; i++) {
    await page.keyboard.press("s");
    seen.push(await states(page).getAttribute("aria-label"));
  }
  expect(seen).toEqual([
    "client: SYN-SENT, server: LISTEN",
    "client: SYN-SENT, server: SYN-RECEIVED",
    "client: ESTABLISHED, server: SYN-RECEIVED",
    "client: ESTABLISHED, server: ESTABLISHED",
    "client: ESTABLISHED, server: ESTABLISHED",
  ]);
  await expect(page.locator(".sockets tbody tr").filter({ hasText: "ESTAB" })).toHaveCount(2);
  await page.keyboard.press("Home");
  await expect(states(page)).toHaveAttribute("aria-label", "client: CLOSED, server: LISTEN");
  await expect(page.locator(".sockets tbody tr").filter({ hasText: "LISTEN" })).toHaveCount(1);
});

test("steps by every unit, plays to the end and back", async ({ page }) => {
  await open(page, "scenario=lost-syn");
  const output = page.locator(".transport output");
  for (const key of ["n", "t", "c", "ArrowRight"]) {
    const before = await output.textContent();
    await page.keyboard.press(key);
    await expect(output).not.toHaveText(before!);
  }
  await page.locator(".transport select").last().selectOption("20");
  await page.keyboard.press("Home");
  await page.keyboard.press(" ");
  await expect(output).toHaveText(/ (\d+)\/\1$/, { timeout: 15_000 });
  await page.keyboard.press("ArrowLeft");
  await expect(output).not.toHaveText(/ (\d+)\/\1$/);
  await page.locator(".transport input[type=range]").fill("0");
  await expect(output).toContainText("1/");
});

test("says each step, and why", async ({ page }, info) => {
  await open(page, "scenario=handshake");
  await page.keyboard.press("n");
  const chinese = info.project.name === "light-zh";
  await expect(page.locator(".step .now")).toContainText(
    chinese ? "SYN" : "Segment 1 from client to server: SYN",
  );
  await page.getByRole("button", { name: chinese ? "为什么？" : "why?" }).click();
  await expect(page.locator(".why cite").last()).toContainText("RFC 9293");
});

test("lost, late, crossing and repeated segments differ by shape", async ({ page }) => {
  await open(page, "scenario=lost-syn");
  await expect(page.locator(".ladder .arrow.lost path.end")).not.toHaveCount(0);
  await expect(page.locator(".ladder .arrow.again text.shape").first()).toHaveText("↻");
  await expect(page.locator(".ladder .break").first()).toBeVisible();
});

test("the inspector has header, bytes, rules and variables of a segment", async ({ page }) => {
  await open(page, "scenario=handshake");
  await page.keyboard.press("n");
  await arrow(page, 2).locator(".label").click({ force: true });
  const inspector = page.locator(".inspector");
  await expect(inspector).toContainText("#2");
  await expect(inspector).toContainText("RFC 9293");
  for (const summary of await inspector.locator("details:not([open]) > summary").all()) await summary.click();
  await expect(inspector).toContainText("45 00");
  await expect(inspector).toContainText("snd_una");
});

test("a segment on its way is dropped; undone; the recipe is a link and a command", async ({ page }) => {
  await open(page, "scenario=handshake");
  await page.keyboard.press("n");
  await expect(arrow(page, 1)).not.toHaveClass(/lost/);
  await page.keyboard.press("d");
  await expect(arrow(page, 1)).toHaveClass(/lost/);
  await expect(page.locator(".interventions .done code")).toHaveText("at #1 drop");
  expect(decodeURIComponent(new URL(page.url()).hash.replaceAll("+", " "))).toContain("do=at #1 drop");
  await expect(page.locator(".share")).toContainText("trivet lab run handshake --seed 1 --do 'at #1 drop'");
  await page.keyboard.press("u");
  await expect(arrow(page, 1)).not.toHaveClass(/lost/);
  await page.keyboard.press("U");
  await expect(arrow(page, 1)).toHaveClass(/lost/);
  await page.reload();
  await expect(arrow(page, 1)).toHaveClass(/lost/);
});

test("every fate of a segment, and everything that hosts and cable can be made to do", async ({ page }) => {
  const group = (n: number) => page.locator(".interventions .row").nth(n).getByRole("button");
  for (const key of ["l", "2", "r", "x"]) {
    await open(page, "scenario=close-four-way");
    await page.keyboard.press("n");
    await page.keyboard.press(key);
    await expect(page.locator(".interventions .done code")).toHaveCount(1);
    await expect(page.locator(".problem")).toHaveCount(0);
  }
  for (const [row, count] of [
    [1, 3],
    [2, 5],
  ]) {
    for (let i = 0; i < count; i++) {
      await open(page, "scenario=close-four-way");
      await page.keyboard.press("n");
      await group(row).nth(i).click();
      await expect(page.locator(".interventions .done code")).toHaveCount(1);
      await expect(page.locator(".problem")).toHaveCount(0);
    }
  }
});

test("a forged RST resets the connection", async ({ page }) => {
  await open(page, "scenario=close-four-way");
  for (let i = 0; i < 4; i++) await page.keyboard.press("n");
  await page.locator(".interventions .row").nth(1).getByRole("button").first().click();
  await expect(page.locator(".ladder .arrow.rst").first()).toBeVisible();
});

test("parameters and seed make another run; a wrong one is said", async ({ page }) => {
  await open(page, "scenario=handshake");
  await page.locator(".params summary").click();
  const rtt = page.locator(".params label").filter({ hasText: /^rtt/ }).locator("input");
  await rtt.fill("200ms");
  await rtt.press("Enter");
  await expect(page.locator(".ladder .time").last()).toContainText("0.3");
  await rtt.fill("soon");
  await rtt.press("Enter");
  await expect(page.locator(".problem")).toContainText("rtt");
});

test("graphs follow the cursor", async ({ page }) => {
  await open(page, "scenario=slow-start-and-congestion-avoidance");
  await page.keyboard.press("End");
  await expect(page.locator(".graphs canvas").first()).toBeVisible();
  for (const value of await page.locator(".graphs select").first().locator("option").all()) {
    await page
      .locator(".graphs select")
      .first()
      .selectOption((await value.getAttribute("value"))!);
    await expect(page.locator(".graphs canvas").first()).toBeVisible();
  }
});

test("keys can be turned off for those who speak to their computer", async ({ page }) => {
  await open(page, "scenario=handshake");
  await page.locator(".keys summary").click();
  await page.locator(".keys input[type=checkbox]").uncheck();
  await page.locator("h1").click();
  await page.keyboard.press("n");
  await expect(page.locator(".transport output")).toContainText("1/");
});

test("both languages at once", async ({ page }) => {
  await open(page, "scenario=handshake");
  await page.locator(".setup select").nth(1).selectOption("both");
  await expect(page.locator("h1")).toContainText("Trivet 实验室");
  await expect(page.locator("h1")).toContainText("Trivet lab");
});
