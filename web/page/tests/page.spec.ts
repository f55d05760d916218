import { arrow, expect, open, position, test } from "./page";

test("the handshake, from the first call to both ends established", async ({ page }, info) => {
  const ms = await open(page, "handshake");
  console.log(`${info.project.name}: interactive after ${ms} ms`);
  await page.keyboard.press("End");
  await expect(page.locator(".arrow")).toHaveCount(3);
  await expect(arrow(page, 2).locator(".label")).toHaveText("#2 S. 0:0(0) ack 1");
  await expect(page.locator(".states svg")).toHaveAttribute(
    "aria-label",
    "client: ESTABLISHED, server: ESTABLISHED",
  );
  await expect(page.locator(".sockets")).toContainText("ESTAB");
  await expect(page.locator(".inspector .words")).toContainText(". 1:1(0) ack 1");
  await expect(page.locator(".inspector cite").first()).toContainText("RFC 9293");
  await expect(page.locator(".graphs canvas")).toBeVisible();
  await expect(page.locator(".results .bad")).toHaveCount(0);
});

test("a caption is not said before its moment", async ({ page }) => {
  await open(page, "lost-last-ack");
  const caption = page.locator(".step .caption");
  await expect(caption).toHaveText(
    /^(The last ACK is lost: what TIME-WAIT is for|最后的 ACK 丢失：TIME-WAIT 的用处)$/,
  );
  await page.keyboard.press("c");
  await expect(caption).not.toHaveText(/TIME-WAIT (is for|的用处)/);
});

test("nothing is wider than the window", async ({ page }) => {
  for (const scenario of ["handshake", "syn-flood-cookies", "tcp-and-udp"]) {
    await open(page, scenario);
    await page.keyboard.press("End");
    const [inside, window] = await page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.documentElement.clientWidth,
    ]);
    expect(inside, scenario).toBeLessThanOrEqual(window);
    await page.goto("about:blank");
  }
});

test("every key steps as far as it says", async ({ page }) => {
  await open(page, "close-four-way");
  const last = (await position(page))[1];
  const at = async () => (await position(page))[0];
  await page.keyboard.press("ArrowRight");
  expect(await at()).toBe(2);
  await page.keyboard.press("ArrowLeft");
  expect(await at()).toBe(1);
  for (const key of ["n", "s", "t", "c"]) {
    await page.keyboard.press("Home");
    await page.keyboard.press(key);
    const there = await at();
    expect(there, key).toBeGreaterThan(1);
    await page.keyboard.press(key.toUpperCase());
    expect(await at(), key.toUpperCase()).toBeLessThan(there);
  }
  await page.keyboard.press("End");
  expect(await at()).toBe(last);
  await page.keyboard.press("w");
  await expect(page.locator(".why cite").first()).toContainText("RFC");
});

test("space plays to the end and pauses", async ({ page }) => {
  await open(page, "handshake");
  for (let i = 0; i < 5; i++) await page.keyboard.press("+");
  await page.keyboard.press("Space");
  await expect.poll(async () => (await position(page)).join("/")).toBe("20/20");
  await expect(page.locator("button.main")).toHaveAttribute("aria-label", /Play|播放/);
  await page.keyboard.press("Home");
  await page.keyboard.press("-");
  for (let i = 0; i < 6; i++) await page.keyboard.press("-");
  await page.keyboard.press("Space");
  await page.keyboard.press("Space");
  expect((await position(page))[0]).toBeLessThan(20);
});

test("a segment and a moment are sentences for those who hear them", async ({ page }) => {
  await open(page, "lost-syn");
  const first = page.getByRole("listitem", { name: /SYN[,，] ?0 (bytes|字节)/ }).first();
  await expect(first).toHaveAttribute("aria-label", /lost \(dropped on purpose\)|丢失（人为丢弃）/);
  await page.keyboard.press("n");
  await expect(page.locator(".step [role=status]")).not.toHaveText("");
});

test("kinds differ in shape, not in colour alone", async ({ page }) => {
  await open(page, "close-four-way");
  await page.keyboard.press("End");
  const shapes = new Map<string, string>();
  for (const kind of ["syn", "ack", "fin"]) {
    const d = await page.locator(`.arrow.${kind} .glyph`).first().getAttribute("d");
    shapes.set(kind, d!);
  }
  expect(new Set(shapes.values()).size).toBe(3);
});

test("datagrams are drawn and described, too", async ({ page }) => {
  await open(page, "tcp-and-udp");
  await page.keyboard.press("End");
  await expect(page.locator(".arrow.udp").last()).toBeAttached();
  await expect(page.locator(".inspector .words")).toHaveText(/^UDP \d+ > 9000 \(100\)$/);
});

test("the reader's language and theme last", async ({ page }, info) => {
  await open(page, "handshake");
  const chinese = info.project.use.locale === "zh-CN";
  await expect(page.locator("html")).toHaveAttribute("lang", chinese ? "zh-CN" : "en");
  await page.locator(".setup select").nth(1).selectOption("both");
  await page.locator(".setup select").nth(2).selectOption("dark");
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  const caption = page.locator(".step .caption");
  await expect(caption.locator("[lang=en]")).not.toHaveText("");
  await expect(caption.locator("[lang=zh-CN]")).not.toHaveText("");
  await expect(page.locator("body")).toHaveCSS("background-color", "rgb(17, 22, 28)");
});

test("the token of an end moves, but at once for who wants no motion", async ({ page }, info) => {
  await open(page, "handshake");
  const token = page.locator(".states .end-0");
  const before = await token.getAttribute("transform");
  await page.keyboard.press("s");
  const calm = info.project.name === "phone";
  const soon = await page.evaluate(
    () =>
      new Promise<string>((done) =>
        requestAnimationFrame(() =>
          requestAnimationFrame(() =>
            done(document.querySelector(".states .end-0")!.getAttribute("transform")!),
          ),
        ),
      ),
  );
  await page.waitForFunction(
    (b) => document.querySelector(".states .end-0")!.getAttribute("transform") !== b,
    before,
  );
  if (calm) expect(soon).not.toBe(before);
  else await expect.poll(() => token.getAttribute("transform")).not.toBe(soon);
});

test("the states of both ends, step by step, and the sockets with them", async ({ page }) => {
  await open(page, "handshake");
  const states = page.locator(".states svg");
  await expect(states).toHaveAttribute("aria-label", "client: CLOSED, server: LISTEN");
  await expect(page.locator(".sockets")).not.toContainText("SYN-SENT");
  for (const both of [
    "client: SYN-SENT, server: LISTEN",
    "client: SYN-SENT, server: SYN-RECEIVED",
    "client: ESTABLISHED, server: SYN-RECEIVED",
    "client: ESTABLISHED, server: ESTABLISHED",
  ]) {
    await page.keyboard.press("s");
    await expect(states).toHaveAttribute("aria-label", both);
  }
  await expect(page.locator(".sockets tbody tr").filter({ hasText: "ESTAB" })).toHaveCount(2);
});

test("a socket and its timer are read without scrolling", async ({ page }) => {
  await open(page, "handshake");
  for (let i = 0; i < 2; i++) await page.keyboard.press("s");
  await expect(page.locator(".sockets")).toContainText("timer:(retransmit, @1.0000 s)");
  for (const table of await page.locator(".sockets .wide").all()) {
    const hidden = await table.evaluate((e) => e.scrollWidth - e.clientWidth);
    expect(hidden).toBeLessThanOrEqual(0);
  }
});

test("the inspector has header, bytes, rules and variables of a segment", async ({ page }, info) => {
  await open(page, "handshake");
  await page.keyboard.press("End");
  await arrow(page, 3).dispatchEvent("click");
  const inspector = page.locator(".inspector");
  await expect(inspector.locator("h2")).toContainText("#3");
  await expect(inspector).toContainText("SEG.SEQ");
  await expect(inspector).toContainText("RFC 9293");
  await expect(inspector).toContainText("SND.UNA");
  await expect(inspector).toContainText(info.project.name === "dark-en" ? "timestamp" : "时间戳");
  await inspector.locator("details:not([open]) > summary").click();
  await expect(inspector.locator("pre")).toContainText("45 00");
});

test("of the variables those are listed that are known", async ({ page }) => {
  await open(page, "syn-flood");
  await page.keyboard.press("n"); // a SYN for a listener
  await page.keyboard.press("n");
  const names = page.locator(".inspector .variables tbody th");
  await expect(names.first()).toHaveText("state");
  expect(await page.locator(".inspector .variables tbody tr").filter({ hasText: /– *–/ }).count()).toBe(0);
});

test("parameters make another run, and a wrong one is said", async ({ page }) => {
  await open(page, "handshake");
  await page.locator(".params summary").click();
  const rtt = page.locator(".params label").filter({ hasText: /^rtt/ }).locator("input");
  await rtt.fill("200ms");
  await rtt.press("Enter");
  await page.locator("h1").click();
  await page.keyboard.press("End");
  await expect(page.locator(".transport output")).toContainText("0.3000 s");
  await rtt.fill("soon");
  await rtt.press("Enter");
  await expect(page.getByRole("alert")).toContainText("rtt");
});

test("every graph is drawn, and follows the cursor", async ({ page }) => {
  await open(page, "slow-start-and-congestion-avoidance");
  const choice = page.locator(".graphs select").first();
  for (const name of ["congestion", "rtt", "windows", "queues", "sequence"]) {
    await choice.selectOption(name);
    await expect(page.locator(".graphs canvas")).toBeVisible();
    const line = page.locator(".plot .now");
    const before = await line.getAttribute("style");
    // Again and again: on a slow machine the plot may come after the cursor has moved.
    await expect(async () => {
      await page.locator(".scrubber input").fill("100");
      await page.locator(".scrubber input").fill(name === "sequence" ? "300" : "700");
      expect(await line.getAttribute("style"), name).not.toBe(before);
    }).toPass();
    await page.locator(".scrubber input").fill("100");
    await expect(page.locator(".transport output")).toContainText("101/");
  }
});

test("the letters of the time-sequence graph are whole", async ({ page }) => {
  await open(page, "handshake");
  const canvas = page.locator(".graphs canvas");
  await expect(canvas).toBeVisible();
  // Of the client's handshake the S of its SYN alone has the ink of data.
  const [width, height] = await canvas.evaluate((c: HTMLCanvasElement) => {
    const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink-1").trim();
    const want = [1, 3, 5].map((i) => parseInt(ink.slice(i, i + 2), 16));
    const { data, width } = c.getContext("2d")!.getImageData(0, 0, c.width, c.height);
    const xs: number[] = [];
    const ys: number[] = [];
    for (let i = 0; i < data.length; i += 4) {
      if (!want.every((v, k) => Math.abs(data[i + k] - v) < 40) || data[i + 3] < 100) continue;
      xs.push((i / 4) % width);
      ys.push(Math.floor(i / 4 / width));
    }
    const span = (list: number[]) => (Math.max(...list) - Math.min(...list) + 1) / devicePixelRatio;
    return [span(xs), span(ys)];
  });
  expect(width).toBeGreaterThanOrEqual(5);
  expect(height).toBeGreaterThanOrEqual(7);
});

test("single keys can be turned off for those who speak to their computer", async ({ page }) => {
  await open(page, "handshake");
  await page.locator(".keys summary").click();
  await page.locator(".keys input[type=checkbox]").uncheck();
  await page.locator("h1").click();
  await page.keyboard.press("n");
  await expect(page.locator(".transport output")).toContainText("1/");
});

test("no panel lies on another, however wide the window is", async ({ page }) => {
  for (const width of [700, 1100, 1440]) {
    await page.setViewportSize({ width, height: 800 });
    await open(page, "handshake");
    await page.keyboard.press("n");
    const overlaps = await page.evaluate(() => {
      const boxes = [...document.querySelectorAll(".panel")].map((e) => e.getBoundingClientRect());
      return boxes.flatMap((a, i) =>
        boxes
          .slice(i + 1)
          .filter((b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom),
      ).length;
    });
    expect(overlaps, `at ${width} pixels`).toBe(0);
    await page.goto("about:blank");
  }
});

test("back goes to the run before, and forward again", async ({ page }) => {
  await open(page, "handshake");
  const scenario = page.locator("header select").first();
  await scenario.selectOption("refused");
  await expect(page.locator(".arrow")).toHaveCount(2);
  await page.goBack();
  await expect(scenario).toHaveValue("handshake");
  await expect(page.locator(".arrow")).toHaveCount(3);
  await page.goForward();
  await expect(scenario).toHaveValue("refused");
  await expect(page.locator(".arrow")).toHaveCount(2);
});

test("a listener is there from its call on, and calls that wait are not told", async ({ page }, info) => {
  await open(page, "handshake");
  await page.keyboard.press("ArrowRight");
  await expect(page.locator(".sockets")).toContainText("LISTEN");
  const sentence = page.locator(".step");
  await expect(sentence).toContainText(
    info.project.name === "dark-en"
      ? "client: connect(). the program wants to connect"
      : "client：connect()。程序要建立连接",
  );
  await open(page, "linger-zero");
  await page.keyboard.press("End");
  await expect(sentence).toContainText(/connection reset by peer/);
  await expect(sentence).not.toContainText(/reset by peer ?[(（]/);
});
