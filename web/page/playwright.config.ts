import { defineConfig } from "@playwright/test";

// The tests run in Debian's chromium against the command itself, built anew.
const port = 18417;

export default defineConfig({
  testDir: "tests",
  outputDir: "test-results/failures",
  fullyParallel: true,
  workers: 2,
  forbidOnly: !!process.env.CI,
  reporter: [["list"]],
  timeout: 20_000,
  use: {
    baseURL: `http://127.0.0.1:${port}`,
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: "/usr/bin/chromium",
      args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
    },
  },
  projects: [
    {
      name: "light-zh",
      testMatch: ["page.spec.ts", "axe.spec.ts"],
      use: { locale: "zh-CN", colorScheme: "light", viewport: { width: 1440, height: 900 } },
    },
    {
      name: "dark-en",
      testMatch: "*.spec.ts",
      use: { locale: "en-US", colorScheme: "dark", viewport: { width: 1440, height: 900 } },
    },
    {
      name: "phone",
      testMatch: ["page.spec.ts", "axe.spec.ts"],
      use: {
        locale: "zh-CN",
        contextOptions: { reducedMotion: "reduce" },
        viewport: { width: 390, height: 844 },
        isMobile: true,
        hasTouch: true,
      },
    },
    { name: "screenshots", testMatch: "screenshots.ts", use: { viewport: { width: 1440, height: 960 } } },
  ],
  webServer: {
    command: `go build -o test-results/trivet ../../cmd/trivet && exec test-results/trivet lab serve --listen 127.0.0.1:${port} --out test-results/out`,
    url: `http://127.0.0.1:${port}/`,
    timeout: 180_000,
    gracefulShutdown: { signal: "SIGTERM", timeout: 5000 },
  },
});
