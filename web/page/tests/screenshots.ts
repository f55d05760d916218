import { test, type Page } from "@playwright/test";
import { open } from "./page";

// The pictures of docs/page.md. `npm run screenshots` takes them anew.
const folder = "../../docs/page";

interface Picture {
  name: string;
  recipe: string;
  dark?: boolean;
  chinese?: boolean;
  before(page: Page): Promise<void>;
}

const seek = (page: Page, event: number) => page.locator(".scrubber input").fill(String(event));

const pictures: Picture[] = [
  { name: "handshake", recipe: "handshake", before: (page) => page.keyboard.press("End") },
  {
    name: "simultaneous-open",
    recipe: "simultaneous-open",
    chinese: true,
    before: (page) => page.keyboard.press("End"),
  },
  {
    name: "syn-flood-cookies",
    recipe: "syn-flood-cookies",
    dark: true,
    before: async (page) => {
      await page.locator(".graphs select").first().selectOption("queues");
      await page.locator(".graphs select").nth(1).selectOption("1");
      await seek(page, 193); // a genuine client returns its cookie
    },
  },
  {
    name: "slow-start",
    recipe: "slow-start-and-congestion-avoidance",
    dark: true,
    before: async (page) => {
      await page.locator(".graphs select").first().selectOption("congestion");
      await seek(page, 1080);
    },
  },
];

for (const p of pictures) {
  test.describe(() => {
    test.use({ locale: p.chinese ? "zh-CN" : "en-US", colorScheme: p.dark ? "dark" : "light" });
    test(p.name, async ({ page }) => {
      await open(page, p.recipe);
      await p.before(page);
      await page.waitForTimeout(1000); // until nothing moves any more
      await page.screenshot({ path: `${folder}/${p.name}.png` });
    });
  });
}
