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

  // The story breaks the motor by itself; the sentence says so, with the backup's effect.
  await page.waitForFunction(() => /backup running, flow confirmed/.test(document.querySelector("#sentence").textContent), null, { timeout: 90000 });
  console.log("acting:", await page.textContent("#sentence"));
  await page.screenshot({ path: png, fullPage: true });
  const kinds = await page.$$eval("#timeline .happening", (items) => items.map((item) => item.className));
  for (const kind of ["fault", "alarm", "action", "effect"]) assert.ok(kinds.some((k) => k.includes(kind)), `${kind} in ${kinds}`);
  assert.ok(await page.isVisible("#badge"));

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
