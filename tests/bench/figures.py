"""figures.py: what a benchmark measured, beside what is wanted of it: told at once, kept as JSON."""
import json

# How the database of a benchmark is set up, for scripts/run: durable, and as INSTALL advises for a
# large fleet.
DATABASE = ("--db", "innodb-buffer-pool-size=1G", "--db", "innodb-log-file-size=1G",
            "--db", "innodb-buffer-pool-dump-pct=100")

class Figures:
    """The figures of one program."""

    def __init__(self):
        self.rows = []
        self.more = {}  # whatever else is worth keeping

    def add(self, name, value, unit, wanted=None, at_least=False, note=""):
        """Tells a figure and keeps it. wanted: the most it may be, or the least; None: nothing."""
        reached = None if wanted is None else value >= wanted if at_least else value <= wanted
        self.rows.append({"name": name, "value": round(value, 4), "unit": unit, "target": wanted,
                          "at_most": None if wanted is None else not at_least, "reached": reached,
                          "note": note})
        print(line(self.rows[-1]), flush=True)

    def missed(self):
        return [row for row in self.rows if row["reached"] is False]

    def save(self, path):
        if path:
            with open(path, "w", encoding="utf-8") as out:
                json.dump({"figures": self.rows, **self.more}, out, indent=1)


def line(row):
    words = "%-42s %10.*f %-8s" % (row["name"], 0 if row["value"] >= 1000 else 2, row["value"],
                                   row["unit"])
    if row["target"] is not None:
        words += " (%s %g) %s" % ("at most" if row["at_most"] else "at least", row["target"],
                                  "" if row["reached"] else "MISSED")
    return (words + (" " + row["note"] if row["note"] else "")).rstrip()
