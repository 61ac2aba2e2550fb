"""The page of celsius verify in a real browser: layout, curves, and no external resources."""
import html
import json
import re
import shutil
import struct
import subprocess
import unittest

import kit

BROWSER = next((path for path in map(shutil.which,
                                     ("chromium", "chromium-browser", "google-chrome"))
                if path), None)

# Measures the page after its layout.
PROBE = """
<script>
addEventListener("error", e => { document.body.dataset.error = e.message; });
addEventListener("load", () => {
  const box = e => { const b = e.getBoundingClientRect(); return [b.width, b.height]; };
  const probe = {
    svg: [...document.querySelectorAll("svg")].map(s => ({
      id: s.id, box: box(s),
      curves: [...s.querySelectorAll("polyline")].map(p => p.getTotalLength()),
      texts: [...s.querySelectorAll("text")].filter(t => t.textContent && box(t)[0] > 0).length,
      outside: [...s.querySelectorAll("text")].filter(t => {
        const a = t.getBoundingClientRect(), b = s.getBoundingClientRect();
        return a.right > b.right + 1 || a.left < b.left - 1; }).map(t => t.textContent)})),
    rows: document.querySelectorAll("tbody tr").length,
    failed: document.querySelectorAll("tr.fail").length,
    notes: [...document.querySelectorAll("h2")].map(h => h.textContent),
    wide: document.documentElement.scrollWidth > innerWidth,
    loaded: performance.getEntriesByType("resource").map(r => r.name)};
  document.body.setAttribute("data-probe", JSON.stringify(probe));
});
</script>
"""


@unittest.skipUnless(BROWSER, "no browser; script/setup browser installs one")
class Page(kit.Case):
    def browse(self, *args):
        done = subprocess.run(
            [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--window-size=1280,1600", f"--user-data-dir={self.path('profile')}", *args],
            capture_output=True, text=True, timeout=240, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_page(self):
        rows = json.loads(self.ok("verify", "--json", "--html", "page.html", "--threads", 2))
        page = kit.read(self.path("page.html"))
        with open(self.path("probe.html"), "w") as file:
            file.write(page.replace("</body>", PROBE + "</body>"))
        dom = self.browse("--dump-dom", f"file://{self.path('probe.html')}")
        self.assertNotIn("data-error", dom)
        probe = json.loads(html.unescape(re.search(r'data-probe="([^"]*)"', dom).group(1)))
        self.assertEqual([svg["id"] for svg in probe["svg"]],
                         ["vanishing", "temperature", "convergence"])
        for svg in probe["svg"]:
            self.assertGreater(svg["box"][0], 500, svg)
            self.assertGreater(svg["box"][1], 200, svg)
            self.assertGreaterEqual(len(svg["curves"]), 2)
            self.assertGreater(min(svg["curves"]), 50, svg)
            self.assertGreater(svg["texts"], 8, svg)
            self.assertEqual(svg["outside"], [], "texts outside of their plot")
        self.assertEqual(probe["rows"], len(rows))
        self.assertEqual(probe["failed"], 0)
        self.assertEqual(len(probe["notes"]), 5)
        self.assertFalse(probe["wide"], "the page scrolls sideways")
        self.assertEqual(probe["loaded"], [])
        self.assertIn(f"{len(rows)} of {len(rows)} checks pass", dom)

    def test_picture(self):
        self.ok("verify", "--quick", "--html", "page.html")
        self.browse("--screenshot=page.png", f"file://{self.path('page.html')}")
        with open(self.path("page.png"), "rb") as file:
            png = file.read()
        self.assertEqual(png[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(struct.unpack(">II", png[16:24]), (1280, 1600))
        self.assertGreater(len(png), 30000, "the picture is empty")


kit.main()
