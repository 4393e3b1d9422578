// The card "System": somebody with a phone agrees to a version that lies ready, with the code from the box's console.
//
//   BASE_URL=http://127.0.0.1:8080 SETUP_CODE=KDHRBTCM node --test tests/browser/update.test.mjs
//
// tests/update.rs brings the gateway, a version that lies ready, and the code.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const SCREENSHOTS = fileURLToPath(new URL("../../target/screenshots/", import.meta.url));
const PATIENCE_MS = 120_000;
let profile;
let context;

before(async () => {
  assert.ok(process.env.BASE_URL && process.env.SETUP_CODE, "BASE_URL and SETUP_CODE must be given");
  mkdirSync(SCREENSHOTS, { recursive: true });
  profile = mkdtempSync(join(tmpdir(), "hawser-browser-"));
  context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
    colorScheme: "dark",
    viewport: { width: 390, height: 844 },
  });
  context.setDefaultTimeout(PATIENCE_MS);
});

after(async () => {
  await context?.close();
  if (profile) rmSync(profile, { recursive: true, force: true });
});

test("a phone agrees to a version with the code from the console", { timeout: 2 * PATIENCE_MS }, async () => {
  const page = await context.newPage();
  await page.goto(process.env.BASE_URL);
  await page.getByRole("button", { name: "Install 0.9.0" }).click();
  await page.locator("#sign-in").waitFor();
  await page.locator("#sign-in").screenshot({ path: join(SCREENSHOTS, "setup-code.png") });
  await page.locator("#sign-in-code").fill("WRONGONE");
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByText("that is not the setup code").waitFor();
  await page.locator("#sign-in-code").fill(process.env.SETUP_CODE.toLowerCase());
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("button", { name: "Start it now" }).waitFor();
  await page.locator("#system").scrollIntoViewIfNeeded();
  await page.screenshot({ path: join(SCREENSHOTS, "update.png") });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(wide, 0, "no sideways scrolling");
});
