"""Opens pages of `daytona report` in a browser and says what they do: lines "ok CLAIM" or "NO CLAIM: why".

    report_page.py REPORT EVENTS LONG

EVENTS is the trace of REPORT as lines of JSON, LONG a report of a million events. With PICTURES in the
environment, pictures are left in that folder. When all has been said, REPORT.done is made."""
import json
import os
import sys
import time

from browser import Browser

CHARTS = ["sequence", "window", "rtt", "goodput", "timeline"]
# Far above what it takes (load 1 s, zoom 0.1 s): the machine may have much else to do.
LOAD_MAX_S, ZOOM_MAX_S = 60, 10


def claim(text, good, why=""):
    print(f"ok {text}" if good else f"NO {text}: {why}", flush=True)


def picture(browser, name):
    if os.environ.get("PICTURES"):
        browser.picture(os.path.join(os.environ["PICTURES"], name + ".png"))


def field(browser, chart):
    """Where a chart's field is on the screen."""
    return browser.value(
        f"(() => {{ const box = charts.get('{chart}').plot.over.getBoundingClientRect();"
        "return [box.left, box.top, box.width, box.height]; })()")


def ranges(browser):
    return browser.value("[...charts.values()].map(({plot}) => [plot.scales.x.min, plot.scales.x.max])")


def colours_drawn(browser, chart):
    """How many pixels of its canvas have each colour that is not transparent, the commonest first."""
    return browser.value(
        f"(() => {{ const {{canvas}} = charts.get('{chart}').plot.ctx, seen = new Map();"
        "const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', {willReadFrequently: true});"
        "copy.drawImage(canvas, 0, 0); const {data} = copy.getImageData(0, 0, canvas.width, canvas.height);"
        "for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200) {"
        "  const colour = data[i] + ',' + data[i + 1] + ',' + data[i + 2]; seen.set(colour, (seen.get(colour) || 0) + 1); }"
        "return [...seen].sort((a, b) => b[1] - a[1]).slice(0, 40); })()")


def repeated(events):
    """How many segments with data begin before what was sent already. Sequence numbers have 32 bits."""
    ends, count = {}, 0
    for event in events:
        if event["event"] != "segment_out" or event["length"] == 0:
            continue
        end = (event["sequence"] + event["length"]) % 2**32
        highest = ends.get(event["socket"], event["sequence"])
        count += (event["sequence"] - highest) % 2**32 >= 2**31
        if (end - highest) % 2**32 < 2**31:
            ends[event["socket"]] = end
    return count


def drawing(browser, events):
    claim("the page has come up", browser.value("document.documentElement.dataset.ready") == "yes")
    for chart in CHARTS:
        drawn = colours_drawn(browser, chart)
        claim(f"something is drawn: {chart}", sum(count for _, count in drawn) > 800 and len(drawn) > 3, drawn)
    again = repeated(events)
    shown = browser.value(
        "trace.connections.reduce((sum, one, i) => sum + rowsOf('sent', i).kind.filter(kind => kind > 0).length, 0)")
    claim("each segment of the trace that was sent again is in the page", again == shown > 0, f"{again}, {shown}")
    cwnds = {event["cwnd"] for event in events if event.get("cwnd")}
    drawn = set(browser.value("[...column('window', 'cwnd')]"))
    claim("each window that is drawn was so", len(drawn) > 10 and drawn <= cwnds, drawn - cwnds)
    claim("the connection that moved the most is shown", browser.value(
        "trace.connections[view.connection].bytes_out === Math.max(...trace.connections.map(one => one.bytes_out))"))
    claim("bytes of a connection are counted once", browser.value("trace.connections[view.connection].bytes_out")
          in range(1 << 20, (1 << 20) + 1000), browser.value("trace.connections[view.connection].bytes_out"))


def hovering(browser):
    left, top, width, height = field(browser, "window")
    browser.mouse("mouseMoved", left + width * 0.6, top + height / 2)
    browser.drawn()
    cursors = browser.value("[...charts.values()].map(({plot}) => Math.round(plot.cursor.left))")
    claim("the cursor is in all charts at one time", len(set(cursors)) == 1 and cursors[0] > 0, cursors)
    values = browser.value("[...document.querySelectorAll('.legend .value:not(:empty)')].map(one => one.textContent)")
    claim("all lines tell their value there", len([one for one in values if one != "–"]) >= 6, values)
    told = browser.value("charts.get('window').values[2].textContent")
    truth = browser.value(
        "(() => { const rows = rowsOf('window', view.connection); return formatBytes(rows.cwnd[lastNotAfter(rows.at, cursorTime)]); })()")
    claim("cwnd is the one of that time", told == truth, f"{told}, {truth}")
    # The retransmission that came first, where it is drawn.
    spot = browser.value(
        "(() => { const {lanes, events} = charts.get('timeline').spec, lane = lanes.findIndex(one => one.name === 'losses');"
        "const row = lanes[lane].marks.find(one => trace.kinds[events.type[one]].name === 'RETRANSMIT');"
        "const {plot} = charts.get('timeline'), box = plot.over.getBoundingClientRect();"
        "return [box.left + plot.valToPos(events.at[row] / 1e6, 'x'), box.top + plot.valToPos(lanes.length - lane - 0.5, 'y')]; })()")
    browser.mouse("mouseMoved", *spot)
    browser.drawn()
    tip = browser.value("document.getElementById('tip').hidden ? '' : document.getElementById('tip').textContent")
    claim("an event tells of its call", "call" in tip and "send" in tip, tip)
    picture(browser, "hover")


def zooming(browser):
    before = ranges(browser)
    left, top, width, height = field(browser, "sequence")
    browser.drag(left + width * 0.3, top + height / 2, left + width * 0.5)
    browser.drawn()
    now = ranges(browser)
    span, was = now[0][1] - now[0][0], before[0][1] - before[0][0]
    claim("a drag zooms all charts to the same range", all(one == now[0] for one in now), now)
    claim("and that is what was dragged over", abs(span - was * 0.2) < was * 0.02, f"{span} of {was}")
    picture(browser, "zoomed")
    claim("the address says what is shown", "from=" in browser.value("location.hash"))
    for clicks in (1, 2):
        browser.mouse("mousePressed", left + 50, top + 50, button="left", buttons=1, clickCount=clicks)
        browser.mouse("mouseReleased", left + 50, top + 50, button="left", clickCount=clicks)
    browser.drawn()
    whole = ranges(browser)
    claim("a double click shows the whole again",
          all(abs(one - other) < was / 1000 for pair in zip(whole, before) for one, other in zip(*pair)), whole)
    browser.value("document.querySelector('#requests tbody tr').click()")
    browser.drawn()
    request = browser.value("trace.requests.find(one => one.connection === view.connection)")
    middle = (request["begin_ms"] + request["took_ms"] / 2) / 1000
    low, high = ranges(browser)[0]
    claim("a click on a request shows it", low <= middle <= high, f"{low} {middle} {high}")
    browser.value("showWhole()")


def profile(browser):
    cells = dict(browser.value(
        "[...document.querySelectorAll('#profile .cell')].map(one => [one.textContent, one.getBoundingClientRect().width])"))
    whole = browser.value("document.querySelector('#profile > .layer').getBoundingClientRect().width")
    shares = {text.rsplit(" ", 2)[0]: round(width / whole, 2) for text, width in cells.items()}
    claim("flames are as wide as their shares, one upon the other", all(
        abs(shares.get(name, 0) - share) < 0.03
        for name, share in (("socket calls", 0.875), ("application copy", 0.5), ("timers", 0.125))), shares)


def in_both_colours(browser):
    seen = {}
    for scheme in ("light", "dark"):
        browser.colours(scheme)
        browser.drawn()
        seen[scheme] = (browser.value("getComputedStyle(document.body).backgroundColor"),
                        colours_drawn(browser, "window")[:2])
        picture(browser, scheme)
    claim("dark and light have other papers", seen["light"][0] != seen["dark"][0], seen)
    claim("and other inks", seen["light"][1] != seen["dark"][1], seen)
    browser.value("document.getElementById('theme').click()")
    browser.drawn()
    claim("the switch overrules the system", browser.value("getComputedStyle(document.body).backgroundColor")
          == seen["light"][0], seen)


def many(browser, path):
    begun = time.monotonic()
    browser.open(path)
    browser.drawn()
    took = time.monotonic() - begun
    claim("a page of a million events comes up", took < LOAD_MAX_S and browser.value("trace.events >= 1000000"), took)
    worst = 0
    for act in ("setRange(view.from + 10, view.to - 10)", "zoom(0.1)", "zoom(0.01)", "showWhole()"):
        begun = time.monotonic()
        browser.value(act)
        browser.drawn()
        worst = max(worst, time.monotonic() - begun)
    claim("and can be zoomed", worst < ZOOM_MAX_S, worst)
    claim("with no more points than can be seen",
          browser.value("Math.max(...[...charts.values()].map(({plot}) => plot.data[0].length))") < 8000)
    print(f"a million events: shown after {took:.2f} s, zoomed in {worst:.2f} s at most", flush=True)
    picture(browser, "million")


def main(report, events, long):
    lines = [json.loads(line) for line in open(events)]
    with Browser() as browser:
        browser.colours("light")
        browser.open(report)
        browser.drawn()
        drawing(browser, lines)
        hovering(browser)
        zooming(browser)
        profile(browser)
        in_both_colours(browser)
        many(browser, long)
        claim("no error in the console, nothing asked of a network", browser.errors == [], browser.errors)
    with open(report + ".done", "w") as file:
        file.write("done\n")


main(*sys.argv[1:])
