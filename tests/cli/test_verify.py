"""celsius verify: the table, JSON, the web page, the exit code, refusals."""
import json
import re
import xml.etree.ElementTree as xml

import kit

NOTES = ["maximum-entropy", "actor-critic", "discrete-soft-policy-gradient", "policy-guarantees",
         "soft-q-learning"]


class Verify(kit.Case):
    def rows(self, *args):
        return json.loads(self.ok("verify", "--quick", "--json", *args))

    def test_rows(self):
        rows = self.rows("--threads", 2)
        self.assertGreater(len(rows), 150)
        self.assertEqual([note for i, note in enumerate(row["note"] for row in rows)
                          if i == 0 or rows[i - 1]["note"] != note], NOTES)
        for row in rows:
            for name in "note equation claim left right residual tolerance pass".split():
                self.assertIn(name, row, row)
            self.assertIs(row["pass"], True, row)
            difference = abs(row["left"] - row["right"])
            self.assertAlmostEqual(abs(row["residual"]), difference, delta=1e-12 * difference,
                                   msg=row)
            holds = {"=": row["residual"] <= row["tolerance"],
                     "<=": row["residual"] <= row["tolerance"],
                     "!=": row["residual"] > row["tolerance"],
                     ">": row["residual"] > row["tolerance"]}
            self.assertTrue(holds[row["relation"]], row)
        printed = [row for row in rows if row["claim"].startswith("printed")]
        self.assertGreater(len(printed), 25)

    def test_page_and_help_say_what_the_rows_are(self):
        """They name the notes, explain "printed", and count the rows without the library."""
        rows = self.rows("--threads", 2, "--html", "all.html")
        count = sum(not row["function"] for row in rows)
        texts = {"help": self.ok("verify", "--help"), "page": kit.read(self.path("all.html")),
                 "equations": self.ok("verify", "--equations")}
        for where, text in texts.items():
            text = " ".join(text.split())
            library = {"help": "do not use the library",
                       "page": "do not use the library"}.get(where)
            for what in ("Policy-based Theoretical Guarantees", "Rohban", "Proof for Eq. (6)",
                         "Soft Q-Learning", "Haarnoja", "(8.1)-(8.30)", "(4.1)-(4.26)"):
                self.assertIn(what, text, where)
            if where != "equations":
                self.assertIn("tests an equation exactly as the note prints it. That form is wrong", text, where)
                self.assertRegex(text, rf"\b{count} rows {library}", where)

    def test_one_note(self):
        rows = self.rows("--note", "soft-q-learning", "--seed", 3)
        self.assertEqual({row["note"] for row in rows}, {"soft-q-learning"})

    def test_table(self):
        said = self.ok("verify", "--quick", "--note", "discrete-soft-policy-gradient")
        self.assertIn("against complex steps", said)
        self.assertIn('titled "Proof for Eq. (6)"', said)
        self.assertIn('A row that begins with "printed" tests an equation exactly as the note prints it.', " ".join(said.split()))
        self.assertRegex(said, r"; (1 does|(?!1 )\d+ do) not use the library\n")
        self.assertRegex(said, r"\n(\d+) of \1 checks pass")
        self.assertNotIn("FAIL", said)

    def test_page(self):
        self.ok("verify", "--quick", "--note", "discrete-soft-policy-gradient", "--html",
                "out.html")
        page = kit.read(self.path("out.html"))
        self.assertEqual(re.findall(r'(?:src|href)="', page), [], "the page must load nothing")
        plots = re.findall(r"<svg.*?</svg>", page, re.S)
        self.assertEqual(len(plots), 3)
        for plot in plots:
            svg = xml.fromstring(plot)
            curves = [e for e in svg.iter() if e.tag.endswith("polyline")]
            self.assertGreaterEqual(len(curves), 2)
            _, _, width, height = map(float, svg.get("viewBox").split())
            for curve in curves:
                points = [tuple(map(float, p.split(","))) for p in curve.get("points").split()]
                self.assertGreaterEqual(len(points), 3)
                for x, y in points:
                    self.assertTrue(0 <= x <= width and 0 <= y <= height, (x, y))

    def test_equations(self):
        said = self.ok("verify", "--equations")
        for label in ("[maximum-entropy, 8.30]", "[actor-critic, 4.1]",
                      "[policy-guarantees, Theorem 1]"):
            self.assertIn(f"| {label} |", said)
        self.assertNotIn("a step of the derivation", said)

    def test_refusals(self):
        self.fails(kit.NAME, "verify", "--note", "actor-critics",
                   says=["did you mean 'actor-critic'"])
        self.fails(kit.NAME, "verify", "--quik", says=["quick"])
        self.fails(kit.ARGUMENT, "verify", "more", says=["unexpected argument 'more'"])
        self.fails(kit.RANGE, "verify", "--threads", 0, says=["threads"])
        self.fails(kit.IO, "verify", "--quick", "--note", "soft-q-learning", "--html",
                   "no/such/out.html", says=["no/such/out.html"])


kit.main()
