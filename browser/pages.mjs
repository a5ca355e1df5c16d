// Opens pages in Chromium as people see them: on a telephone and on a desk, light and dark, without JavaScript. Each is
// checked with axe, and photographed into a directory.
//
// usage: node pages.mjs DIRECTORY NAME=URL...
import { createRequire } from "node:module";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const require = createRequire(import.meta.url);
const { chromium } = require("playwright-core");
const { AxeBuilder } = require("@axe-core/playwright");

const [directory, ...pages] = process.argv.slice(2);
mkdirSync(directory, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
const devices = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 900 } };
let faults = 0;
for (const page of pages) {
  const at = page.indexOf("=");
  const [name, url] = [page.slice(0, at), page.slice(at + 1)];
  for (const [device, viewport] of Object.entries(devices)) {
    for (const colorScheme of ["light", "dark"]) {
      const context = await browser.newContext({ viewport, colorScheme, bypassCSP: true });
      const tab = await context.newPage();
      await tab.goto(url);
      const wide = await tab.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
      const { violations } = await new AxeBuilder({ page: tab }).analyze();
      for (const violation of violations) {
        console.error(`${name} (${device}, ${colorScheme}): ${violation.id}: ${violation.help}`);
        for (const node of violation.nodes) console.error(`  ${node.html}`);
      }
      if (wide) console.error(`${name} (${device}, ${colorScheme}): is wider than the screen`);
      faults += violations.length + (wide ? 1 : 0);
      await tab.screenshot({ path: join(directory, `${name}-${device}-${colorScheme}.png`) });
      await context.close();
    }
  }
}
await browser.close();
console.log(`${pages.length} pages, ${faults} faults`);
process.exit(faults ? 1 : 0);
