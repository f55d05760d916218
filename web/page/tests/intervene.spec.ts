import type { Page } from "@playwright/test";
import { arrow, expect, open, test } from "./page";

/** Goes to where segment #1 is on its way. */
async function toFirst(page: Page, scenario: string) {
  await open(page, scenario);
  await page.keyboard.press("n");
  await expect(page.locator(".interventions")).toContainText("#1");
}

const fates: [key: string, recipe: string, what: (page: Page) => Promise<void>][] = [
  ["d", "at #1 drop", (page) => expect(arrow(page, 1)).toHaveClass(/lost/)],
  ["l", "at #1 delay", (page) => expect(arrow(page, 1).locator(".label")).toContainText("⏳")],
  ["2", "at #1 duplicate", (page) => expect(arrow(page, -1)).toHaveCount(1)],
  ["r", "at #1 reorder", (page) => expect(arrow(page, 1).locator(".label")).toContainText("⏳")],
  ["x", "at #1 corrupt", (page) => expect(arrow(page, 1).locator(".label")).toContainText("⚡")],
];

for (const [key, recipe, what] of fates) {
  test(`${recipe}, by the key ${key}, and back`, async ({ page }) => {
    await toFirst(page, "handshake");
    await page.keyboard.press(key);
    await expect(page.locator(".done code")).toHaveText(recipe);
    await what(page);
    await expect(page.locator(".share input").nth(1)).toHaveValue(
      `trivet lab run handshake --seed 1 --do '${recipe}'`,
    );
    await page.keyboard.press("u");
    await expect(page.locator(".done")).toHaveCount(0);
    await expect(page.locator(".transport output .faint")).toContainText("/20");
    expect(new URL(page.url()).hash).toBe("#scenario=handshake&seed=1");
  });
}

test("pass lets the segment arrive", async ({ page }) => {
  await toFirst(page, "handshake");
  await page.keyboard.press("p");
  await expect(page.locator(".inspector p b").first()).toHaveText(/arrived|已到达/);
  await expect(page.locator(".done")).toHaveCount(0);
});

const buttons: [name: RegExp, recipe: RegExp][] = [
  [/inject RST|注入 RST/, /^at [\d.]+ms inject rst from client$/],
  [/inject SYN|注入 SYN/, /^at [\d.]+ms inject syn from client$/],
  [/inject ACK|注入 ACK/, /^at [\d.]+ms inject ack from client$/],
  [/^(close|关闭)$/, /^at [\d.]+ms close server$/],
  [/^(crash|崩溃)$/, /^at [\d.]+ms crash server$/],
  [/^(stop reading|停止读取)$/, /^at [\d.]+ms stop-reading server$/],
  [/^(unplug|拔掉)$/, /^at [\d.]+ms unplug$/],
];

for (const [name, recipe] of buttons) {
  test(`the button ${name.source} makes another run`, async ({ page }) => {
    await open(page, "half-close");
    for (let i = 0; i < 5; i++) await page.keyboard.press("s");
    const before = await page.locator(".states svg").getAttribute("aria-label");
    const count = page.locator(".transport output .faint");
    const plain = (await count.innerText()).split("/")[1];
    await page.locator(".interventions").getByRole("button", { name }).click();
    await expect(page.locator(".done code")).toHaveText(recipe);
    await expect(count).not.toContainText(`/${plain}`);
    expect(before).not.toBeNull();
    // The same link elsewhere is the same run.
    const link = await page.locator(".share input").first().inputValue();
    const other = await page.context().newPage();
    await other.goto(link);
    await expect(other.locator(".transport output .faint")).toContainText(
      "/" + (await count.innerText()).split("/")[1],
    );
    await other.close();
  });
}

test("a recipe that cannot be played says why, and the page goes on", async ({ page }) => {
  await open(page, "handshake");
  await page.evaluate(() => (location.hash = "scenario=handshak&seed=1"));
  await expect(page.getByRole("alert")).toContainText("handshake");
  await page.locator("#scenario").selectOption("lost-syn");
  await expect(page.getByRole("alert")).toHaveCount(0);
  await expect(page.locator(".arrow").first()).toBeVisible();
});

test("a link to what there is not offers the scenarios", async ({ page }) => {
  await page.goto("/#scenario=handshak");
  await expect(page.getByRole("alert")).toContainText("handshake");
  await expect(page.locator(".step")).toContainText(/choose a scenario|选择一个场景/);
  await page.locator("#scenario").selectOption("handshake");
  await expect(page.locator(".arrow").first()).toBeVisible();
});

test("a host that crashed is in CLOSED", async ({ page }) => {
  await open(page, "close-four-way&do=at+server+ESTABLISHED+crash+server");
  await page.keyboard.press("End");
  await expect(page.locator(".states svg")).toHaveAttribute("aria-label", "client: CLOSED, server: CLOSED");
});
