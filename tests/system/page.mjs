// Opens the printed link in Debian's Chromium and does what a person would. usage: page.mjs LINK PNG
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const [link, png] = process.argv.slice(2);
const require = createRequire(path.join(process.cwd(), "package.json"));
const { chromium } = require("playwright-core");

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  // The page's own policy forbids eval, which the driver's conditions need: the policy is asserted
  // on the response instead.
  const context = await browser.newContext({ bypassCSP: true, viewport: { width: 1180, height: 1000 } });
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  const first = await page.goto(link);
  assert.match(first.headers()["content-security-policy"], /default-src 'self'/);
  await page.waitForFunction(() => document.querySelector("#link")?.textContent === "live");
  await page.waitForSelector("#badge", { state: "visible" });
  assert.match(await page.textContent("#badge"), /SIMULATED, \d+ x time/);
  await page.waitForFunction(() => document.querySelectorAll(".channel-title b").length >= 4 && document.querySelector(".channel-title b")?.textContent !== "-");
  console.log("live:", await page.textContent("#sentence"));

  // The score of level 1 (blue) and its limit (red) are drawn.
  const drawn = () => page.evaluate(() => {
    const canvas = document.querySelector("#score canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const near = (i, rgb) => rgb.every((value, c) => Math.abs(data[i + c] - value) < 24) && data[i + 3] > 200;
    const found = { score: 0, limit: 0 };
    for (let i = 0; i < data.length; i += 4) {
      if (near(i, [0x17, 0x69, 0xaa])) found.score += 1;
      if (near(i, [0xc6, 0x28, 0x28])) found.limit += 1;
    }
    return found;
  });

  const does = async (action, text) => {
    await page.click(`#controls button[data-action="${action}"]`);
    await page.waitForFunction((wanted) => document.querySelector("#answer").textContent === wanted, `Done: ${text}`);
  };
  const verdict = async (button, shown) => {
    const before = await page.$$eval("#episodes .verdict", (items, text) => items.filter((item) => item.textContent === text).length, shown);
    await page.waitForSelector(`#episodes button[data-verdict="${button}"]`, { timeout: 60000 });
    await page.click(`#episodes button[data-verdict="${button}"]`);
    await page.waitForFunction(
      ([text, count]) => [...document.querySelectorAll("#episodes .verdict")].filter((item) => item.textContent === text).length > count,
      [shown, before],
    );
    console.log(shown);
  };

  await page.waitForFunction(() => document.querySelectorAll("#steps li.done").length >= 6, null, { timeout: 60000 });
  for (let tries = 0, lines = await drawn(); lines.score < 50 || lines.limit < 50; lines = await drawn()) {
    assert.ok((tries += 1) < 100, `the score and its limit are not drawn: ${JSON.stringify(lines)}`);
    await page.waitForTimeout(100);
  }

  // A person breaks the motor; the sentence says so, with the backup's effect.
  await does("bearing-wear", "bearing wear");
  await page.waitForFunction(() => /backup running, flow confirmed/.test(document.querySelector("#sentence").textContent), null, { timeout: 90000 });
  console.log("acting:", await page.textContent("#sentence"));
  await page.screenshot({ path: png, fullPage: true });
  const kinds = await page.$$eval("#timeline .happening", (items) => items.map((item) => item.className));
  for (const kind of ["fault", "alarm", "action", "effect"]) assert.ok(kinds.some((k) => k.includes(kind)), `${kind} in ${kinds}`);
  assert.ok(await page.isVisible("#badge"));

  // What an alarm was, a person says: this one was true. The motor is repaired and runs at another load, where alarms are false.
  await verdict("true", "verdict: true");
  await does("repair", "repair");
  while (await page.$('#episodes button[data-verdict="true"]')) await verdict("true", "verdict: true");
  await page.waitForFunction(() => document.querySelector("#sentence").dataset.condition === "healthy", null, { timeout: 60000 });
  await does("load", "change the load");
  await verdict("false", "verdict: false: new load");
  await page.click('#controls button[data-action="load"]:nth-of-type(8)');
  await page.waitForFunction(() => document.querySelector("#answer").textContent === "Done: load as before");

  await page.click("#tab-loop");
  await page.waitForFunction(() => document.querySelectorAll("#steps li.done").length >= 6);
  assert.ok(await page.isHidden("#machine"));
  assert.ok(await page.isVisible("#badge"));
  await page.click("#tab-machine");

  // A link works once.
  const second = await browser.newContext();
  const stranger = await second.newPage();
  const answer = await stranger.goto(link);
  assert.equal(answer.status(), 403);
  assert.deepEqual(problems, []);
} finally {
  await browser.close();
}
