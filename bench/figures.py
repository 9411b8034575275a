"""Figures, their targets, and how they are shown."""

import json

# (bench, concurrency or n): (">=" or "<=", target). None: whatever the number is.
TARGETS = {
    ("chain", 256): (">=", 80_000),
    ("chain", 32): (">=", 30_000),
    ("chain.p50", 1): ("<=", 1.5),
    ("chain.daemon_cpu", 256): ("<=", 12),
    ("invoke", 64): (">=", 30_000),
    ("invoke.p50", 1): ("<=", 180),
    ("js", 32): (">=", 1_650),
    ("js.daemon_cpu", 32): ("<=", 60),
    ("wire.daemon_cpu", 32): ("<=", 60),
    ("signed", 64): (">=", 15_000),
    ("async.ack", 256): (">=", 60_000),
    ("async.end", 256): (">=", 20_000),
    ("sleepers.start", None): (">=", 40_000),
    ("sleepers.wake", None): (">=", 50_000),
    ("sleepers.neighbour", None): ("<=", 2),
    ("restart", None): ("<=", 150),
    ("restart.memory", None): ("<=", 200),  # after it the sleepers are cold
    ("cold", None): ("<=", 8_000),
}


def target_of(bench, number):
    return TARGETS.get((bench, number)) or TARGETS.get((bench, None))


def short(value):
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}".rstrip("0").rstrip(".")


class Figures:
    """Prints each figure as it comes: a line of JSON, or a row of a table."""

    def __init__(self, is_json):
        self.is_json = is_json
        self.has_header = False
        self.missed = 0

    def note(self, text):
        if not self.is_json:
            print(f"   {text}", flush=True)

    def add(self, bench, unit, value, *, concurrency=None, n=None, limit=None, run=None, **more):
        """`limit` is what the machine could do at most, (number, its name), measured in the
        same run; `run` what the client said."""
        number = concurrency if concurrency is not None else n
        line = {"bench": bench, **({"concurrency": concurrency} if n is None else {"n": n}),
                "unit": unit, "value": round(value, 3)}
        if limit:
            line["limit"], line["limit_of"] = round(limit[0], 3), limit[1]
        for key in ("p50_us", "p99_us"):
            if run and key in run:
                line[key] = run[key]
        line.update({key: round(more_value, 3) if isinstance(more_value, float) else more_value
                     for key, more_value in more.items()})
        self._judge(line, target_of(bench, number))
        self._show(line, number)

    def _judge(self, line, target):
        if not target:
            return
        sign, wanted = target
        line["target"] = f"{sign} {wanted}"
        line["met"] = line["value"] >= wanted if sign == ">=" else line["value"] <= wanted
        self.missed += not line["met"]

    def _show(self, line, number):
        if self.is_json:
            print(json.dumps(line), flush=True)
            return
        if not self.has_header:
            self.has_header = True
            print(f"{'figure':<22} {'at':>7} {'value':>12} {'unit':<14} {'target':>12} "
                  f"{'':<4} {'limit':>12}  {'p50 us':>9} {'p99 us':>9} {'daemon us':>9} "
                  f"{'function us':>11}")
        met = {True: "yes", False: "NO"}.get(line.get("met"), "")
        print(f"{line['bench']:<22} {number or '':>7} {short(line['value']):>12} "
              f"{line['unit']:<14} {line.get('target', '-'):>12} {met:<4} "
              f"{short(line.get('limit')):>12}  {short(line.get('p50_us')):>9} "
              f"{short(line.get('p99_us')):>9} {short(line.get('daemon_cpu_us_each')):>9} "
              f"{short(line.get('function_cpu_us_each')):>11}", flush=True)
