import { expect, open, position, serve, test } from "./page";

const recipe = "slow-start-and-congestion-avoidance&seed=1&set=size%3D100M&set=rate%3D1G&set=queue%3D200";

// The times are printed, not judged: they are the machine's.
test("a run of 100,000 segments stays usable", async ({ page }) => {
  test.setTimeout(120_000);
  // A server of its own: others keep only the runs played last.
  const [child, url] = await serve(0);
  const opened = await open(page, recipe, url);
  const [, events] = await position(page);
  const segments = await page.evaluate(async () => {
    const id = document.querySelector<HTMLAnchorElement>(".files a")!.pathname.split("/")[3];
    const part = await (await fetch(`/api/runs/${id}/events?first=0&count=1`)).json();
    return part.window.total_segments as number;
  });
  expect(segments).toBeGreaterThan(100_000);
  const scrubber = page.locator(".scrubber input");
  const jumps: number[] = [];
  for (const share of [0.5, 0.9, 0.1, 0.7, 1]) {
    const to = Math.round((events - 1) * share);
    const begin = Date.now();
    await scrubber.fill(String(to));
    await expect(page.locator(".arrow.chosen .label")).toContainText(":", { timeout: 20_000 });
    jumps.push(Date.now() - begin);
    expect((await position(page))[0]).toBe(to + 1);
    // The ladder draws what is in the window, not the run.
    expect(await page.locator(".arrow").count()).toBeLessThanOrEqual(600);
  }
  const steps = await page.evaluate(async () => {
    const begin = performance.now();
    for (let i = 0; i < 20; i++) {
      document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "N", bubbles: true }));
      await new Promise(requestAnimationFrame);
    }
    return (performance.now() - begin) / 20;
  });
  await page.locator(".graphs select").first().selectOption("congestion");
  await expect(page.locator(".graphs canvas")).toBeVisible();
  expect(await page.locator(".graphs svg").count()).toBe(0);
  console.log(
    `${segments} segments, ${events} events: open ${opened} ms, ` +
      `jumps ${jumps.join(" ")} ms, a step ${steps.toFixed(1)} ms`,
  );
  child.kill();
});
