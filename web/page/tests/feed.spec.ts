import { once } from "node:events";
import { expect, test } from "@playwright/test";
import { open, serve } from "./page";

test("a lost feed says so, and comes back", async ({ page }) => {
  let [child, url] = await serve(0);
  try {
    await page.goto(`${url}#scenario=handshake`);
    const feed = page.locator(".feed");
    await expect(feed).not.toHaveClass(/lost/);
    child.kill();
    await once(child, "exit");
    await expect(feed).toHaveClass(/lost/);
    await expect(feed).toHaveText(/Trying again|正在重试/);
    [child] = await serve(Number(new URL(url).port));
    await expect(feed).not.toHaveClass(/lost/, { timeout: 10_000 });
    await page.locator("#scenario").selectOption("lost-syn");
    await expect(page.locator(".arrow.lost")).toHaveCount(1);
  } finally {
    child.kill();
  }
});

test("a part that does not come is told in the page's words, and comes later", async ({ page }) => {
  let [child, url] = await serve(0);
  try {
    await open(page, "slow-start-and-congestion-avoidance", url);
    child.kill();
    await once(child, "exit");
    await expect(page.locator(".feed")).toHaveClass(/lost/);
    await page.keyboard.press("End"); // not there yet
    await expect(page.getByRole("alert")).toHaveText(/Trying again|正在重试/);
    [child] = await serve(Number(new URL(url).port));
    await expect(page.getByRole("alert")).toHaveCount(0, { timeout: 10_000 });
    await expect(page.locator(".inspector h2")).toContainText("#");
  } finally {
    child.kill();
  }
});

test("a tab has one feed, whatever is played", async ({ page }) => {
  const feeds: string[] = [];
  page.on("request", (r) => {
    if (r.url().includes("/api/feed")) feeds.push(r.url());
  });
  await open(page, "handshake");
  for (const name of ["lost-syn", "refused", "simultaneous-open"]) {
    await page.locator("#scenario").selectOption(name);
    await expect(page).toHaveURL(new RegExp(name));
  }
  expect(feeds).toHaveLength(1);
});

test("runs are saved into the output folder, by name", async ({ page }) => {
  await open(page, "handshake");
  await page.getByRole("button", { name: /output folder|输出目录/ }).click();
  await expect(page.locator(".share [role=status]")).toHaveText(/handshake-[0-9a-f]+$/);
});
