import { defineConfig } from "@playwright/test";

// The page as the lab serves it, in Debian's browser: light and Chinese, dark and
// English, on a phone with reduced motion.
const port = 8431;

export default defineConfig({
  testDir: "tests",
  outputDir: "test-results",
  timeout: 30_000,
  workers: 2,
  fullyParallel: true,
  reporter: [["list"]],
  use: {
    baseURL: `http://127.0.0.1:${port}`,
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox"],
    },
  },
  webServer: {
    command: `go run ../../cmd/trivet lab serve --listen 127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}/`,
    timeout: 120_000,
  },
  projects: [
    {
      name: "light-zh",
      use: { locale: "zh-CN", colorScheme: "light", viewport: { width: 1440, height: 1000 } },
    },
    {
      name: "dark-en",
      use: { locale: "en-GB", colorScheme: "dark", viewport: { width: 1440, height: 1000 } },
    },
    {
      name: "phone",
      use: {
        locale: "en-GB",
        colorScheme: "light",
        viewport: { width: 390, height: 844 },
        hasTouch: true,
        isMobile: true,
        contextOptions: { reducedMotion: "reduce" },
      },
    },
  ],
});
