import AxeBuilder from "@axe-core/playwright";
import { expect, open, test } from "./page";

for (const scenario of [
  "handshake",
  "syn-flood-cookies",
  "slow-start-and-congestion-avoidance",
  "tcp-and-udp",
]) {
  test(`axe finds nothing in ${scenario}`, async ({ page }) => {
    test.setTimeout(60_000); // it looks at every element
    await open(page, scenario);
    await page.keyboard.press("w");
    await page.evaluate(() => document.querySelectorAll("details").forEach((d) => (d.open = true)));
    for (let i = 0; i < 12; i++) await page.keyboard.press("n");
    const found = await new AxeBuilder({ page }).analyze();
    const violations = found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`);
    expect(violations).toEqual([]);
    expect(found.passes.length).toBeGreaterThan(10);
  });
}
