import { expect, test as base, type Page } from "@playwright/test";

/** A test that fails when the page reports an error. */
export const test = base.extend<{ quiet: void }>({
  quiet: [
    async ({ page }, use) => {
      const said: string[] = [];
      page.on("pageerror", (e) => said.push(e.message));
      page.on("console", (m) => {
        if (m.type() === "error" && !m.text().includes("net::ERR_")) said.push(m.text());
      });
      await use();
      expect(said).toEqual([]);
    },
    { auto: true },
  ],
});

/** Opens the page with a recipe, the part of a link that follows "#", and waits until it is played. */
export async function open(page: Page, recipe: string) {
  await page.goto(`/#${recipe}`);
  await expect(page.locator(".transport output")).toContainText("1/");
  await expect(page.locator(".ladder .arrow").first()).toBeVisible();
}

/** What is said of the two ends' states. */
export const states = (page: Page) => page.locator(".states svg[role=img]");

/** The arrows of a packet. */
export const arrow = (page: Page, packet: number) => page.locator(`.ladder .arrow[data-packet="${packet}"]`);

export { expect };
