// The page on board in a real browser, against a gateway that takes in moving values.
//
//   BASE_URL=http://127.0.0.1:8080 node --test tests/browser/live.test.mjs
//
// It brings no server: a run without BASE_URL fails. Breaks of the connection are real ones: the browser goes through a
// small TCP relay that the test cuts. Screenshots go to target/screenshots/ for people to look at.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const SCREENSHOTS = fileURLToPath(new URL("../../target/screenshots/", import.meta.url));
const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1440, height: 900 };
const ARGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
// A shared machine may be slow; nothing here depends on how long it takes.
const PATIENCE_MS = 60_000;

// Carries bytes to the gateway until it is cut.
class Relay {
  #sockets = new Set();
  #broken = false;

  static async to(target) {
    const relay = new Relay();
    relay.server = net.createServer((near) => relay.#carry(near, target));
    await new Promise((ready) => relay.server.listen(0, "127.0.0.1", ready));
    relay.url = `http://127.0.0.1:${relay.server.address().port}`;
    return relay;
  }

  #carry(near, target) {
    if (this.#broken) return near.destroy();
    const far = net.connect(Number(target.port || 80), target.hostname);
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far).pipe(near);
  }

  cut() {
    this.#broken = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend() {
    this.#broken = false;
  }

  close() {
    this.cut();
    this.server.close();
  }
}

let relay;
let profile;
let context;

before(async () => {
  assert.ok(process.env.BASE_URL, "BASE_URL must name a running gateway, such as http://127.0.0.1:8080");
  mkdirSync(SCREENSHOTS, { recursive: true });
  relay = await Relay.to(new URL(process.env.BASE_URL));
  profile = mkdtempSync(join(tmpdir(), "hawser-browser-"));
  context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ARGS,
    colorScheme: "dark",
  });
  context.setDefaultTimeout(PATIENCE_MS);
});

after(async () => {
  await context?.close();
  relay?.close();
  if (profile) rmSync(profile, { recursive: true, force: true });
});

// A page that notes what it must not do.
async function open(path, viewport, colorScheme = "dark") {
  const page = await context.newPage();
  page.wrongs = [];
  page.on("console", (message) => message.type() === "error" && page.wrongs.push(message.text()));
  page.on("pageerror", (error) => page.wrongs.push(String(error)));
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== relay.url) page.wrongs.push(`asks ${request.url()}`);
  });
  await page.setViewportSize(viewport);
  await page.emulateMedia({ colorScheme });
  await page.goto(relay.url + path);
  return page;
}

const waitForTiles = (page) => page.waitForFunction(() => document.querySelectorAll(".tile").length > 3);

const texts = (page) =>
  page.evaluate(() => Object.fromEntries(
    [...document.querySelectorAll(".tile")].map((tile) => [
      tile.querySelector(".name").textContent + tile.querySelector(".source").textContent,
      tile.querySelector(".value").textContent,
    ]),
  ));

// Waits until some value differs from `before`, which it returns with the new texts.
async function moved(page, before) {
  for (;;) {
    const now = await texts(page);
    if (Object.keys(before).some((name) => now[name] !== undefined && now[name] !== before[name])) return now;
    await page.waitForTimeout(100);
  }
}

const overflow = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

test("values move, with age and source", { timeout: 2 * PATIENCE_MS }, async () => {
  const page = await open("/", PHONE);
  await waitForTiles(page);
  const first = await texts(page);
  const second = await moved(page, first);
  await moved(page, second);
  await page.waitForFunction(() => /^\d+ (s|min|h|d)$/.test(document.querySelector(".tile .age").textContent));
  assert.match(await page.locator(".tile .source").first().textContent(), /\S/);
  assert.match(await page.locator("#clock").textContent(), /^\d\d:\d\d:\d\d$/);
  assert.equal(await page.locator("#live").textContent(), "Live");
  assert.deepEqual(page.wrongs, []);
  await page.close();
});

// Two engines of two buses are no rivals though they have one name; two positions are, and one of them has the tile.
test("a tile counts those that it hides, not those beside it", { timeout: 2 * PATIENCE_MS }, async () => {
  const page = await open("/", DESKTOP);
  await page.waitForFunction(() => {
    const shown = new Map();
    for (const tile of document.querySelectorAll(".tile:not([hidden])")) {
      const key = tile.dataset.path + tile.querySelector(".name").textContent;
      shown.set(key, [...(shown.get(key) ?? []), / \+\d+$/.test(tile.querySelector(".source").textContent)]);
    }
    const tiles = [...shown.values()];
    const alike = tiles.filter((same) => same.length > 1);
    return tiles.some((same) => same[0]) && alike.length > 0 && alike.every((same) => !same.includes(true));
  });
  await page.close();
});

test("a phone shows it without sideways scrolling", { timeout: 2 * PATIENCE_MS }, async () => {
  for (const viewport of [PHONE, { width: 360, height: 740 }]) {
    const page = await open("/", viewport);
    await waitForTiles(page);
    await page.waitForFunction(() => document.querySelectorAll("#buses .line").length > 0);
    assert.equal(await overflow(page), 0, `${viewport.width} px wide`);
    const small = await page.evaluate(() =>
      [...document.querySelectorAll("button, summary, footer a")]
        .filter((node) => node.checkVisibility() && node.getBoundingClientRect().height < 40)
        .map((node) => node.outerHTML));
    assert.deepEqual(small, [], "touch targets are large");
    if (viewport === PHONE) await page.screenshot({ path: join(SCREENSHOTS, "onboard-phone.png") });
    assert.deepEqual(page.wrongs, []);
    await page.close();
  }
});

test("a desktop shows values and the gateway side by side", { timeout: 2 * PATIENCE_MS }, async () => {
  for (const scheme of ["dark", "light"]) {
    const page = await open("/", DESKTOP, scheme);
    await waitForTiles(page);
    await page.waitForFunction(() => document.querySelectorAll("#buses .line").length > 0);
    const [values, system] = await Promise.all([".values", ".system"].map((part) => page.locator(part).boundingBox()));
    assert.ok(system.x >= values.x + values.width, "beside, not below");
    assert.equal(await overflow(page), 0);
    // Some trend is drawn by then.
    await page.waitForTimeout(5_000);
    const name = scheme === "dark" ? "onboard-desktop.png" : "onboard-desktop-light.png";
    await page.screenshot({ path: join(SCREENSHOTS, name) });
    assert.deepEqual(page.wrongs, []);
    await page.close();
  }
});

test("a number tells why it is shown", { timeout: 2 * PATIENCE_MS }, async () => {
  const page = await open("/", PHONE);
  await waitForTiles(page);
  const tile = page.locator(".tile:not([hidden])").first();
  const path = await tile.getAttribute("data-path");
  await tile.click();
  const facts = await page.locator("#why-facts").innerText();
  assert.ok(facts.includes(path), facts);
  for (const name of ["Source", "Context", "Quality", "Observed", "Received", "Age"]) {
    assert.ok(facts.includes(name), name);
  }
  await page.screenshot({ path: join(SCREENSHOTS, "onboard-why.png") });
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !document.querySelector("#why").open);
  assert.deepEqual(page.wrongs, []);
  await page.close();
});

test("a break of the stream is told, keeps the values, and heals by itself", { timeout: 4 * PATIENCE_MS }, async () => {
  const page = await open("/", PHONE);
  await waitForTiles(page);
  const before = await texts(page);
  relay.cut();
  await page.locator("#lost").waitFor({ state: "visible" });
  assert.deepEqual(Object.keys(await texts(page)), Object.keys(before), "the last values stay");
  await page.waitForFunction(() => document.querySelectorAll(".tile:not(.stale)").length === 0);
  await page.screenshot({ path: join(SCREENSHOTS, "onboard-lost.png") });
  const frozen = await texts(page);
  relay.mend();
  await page.locator("#lost").waitFor({ state: "hidden" });
  const after = await moved(page, frozen);
  assert.deepEqual(Object.keys(after).sort(), Object.keys(before).sort(), "no value is lost or doubled");
  // The browser itself writes to the console that a connection broke; anything else would be ours.
  assert.deepEqual(page.wrongs.filter((wrong) => !/net::ERR_|Failed to load resource/.test(wrong)), []);
  await page.close();
});
