/* ---- The profile: activities as flames, each as wide as its share of the cycles, upon what it was in. */

/* What `daytona profile --json` says of this process: it may have been asked about several. */
function profileOf() {
    const all = Array.isArray(trace.profile) ? trace.profile : trace.profile ? [trace.profile] : [];
    return all.find(one => one.pid === trace.pid) || all[0];
}

const flameColours = ['blue', 'orange', 'green', 'sky', 'purple', 'yellow', 'red', 'grey'];

/* A tree of activities: own cycles are those of the stack that ends there. */
function flameTree(profile) {
    const root = {name: 'all', own: 0, calls: 0, inner: new Map()};
    const ordered = [...profile.activities].sort((a, b) => b.cycles - a.cycles);
    const names = Object.fromEntries(ordered.map(one => [one.activity, one.name]));
    const colours = Object.fromEntries(ordered.map((one, i) => [one.activity, flameColours[i % flameColours.length]]));
    for (const {stack, cycles, calls} of profile.places || profile.activities.map(one => ({...one, stack: [one.activity]}))) {
        let node = root;
        for (const activity of stack) {
            if (!node.inner.has(activity))
                node.inner.set(activity, {name: names[activity] || activity, colour: colours[activity] || 'grey', own: 0, calls: 0,
                    inner: new Map()});
            node = node.inner.get(activity);
        }
        node.own += cycles;
        node.calls += calls;
    }
    const sum = node => node.all = node.own + [...node.inner.values()].reduce((total, inner) => total + sum(inner), 0);
    sum(root);
    return root;
}

function flameCell(node, total) {
    const made = document.createElement('div'), label = document.createElement('div'), inner = document.createElement('div');
    const part = (100 * node.all / total).toFixed(1) + ' %';
    made.className = 'flame';
    made.style.flex = node.all + ' 0 0';
    label.className = node.all > total / 60 ? 'cell' : 'cell narrow';
    label.textContent = node.all > total / 60 ? node.name + ' ' + part : '';
    label.title = node.name + '\n' + part + ' of all cycles, ' + (100 * node.own / total).toFixed(1) + ' % itself\n' +
        formatCount(node.calls) + ' times';
    label.style.background = 'var(--' + node.colour + ')';
    label.dataset.colour = node.colour;
    inner.className = 'layer';
    const list = [...node.inner.values()].filter(one => one.all > 0).sort((a, b) => b.all - a.all);
    for (const one of list)
        inner.append(flameCell(one, total));
    const rest = document.createElement('div');
    rest.style.flex = node.own + ' 0 0';
    inner.append(rest);
    made.append(label);
    if (list.length > 0)
        made.append(inner);
    return made;
}

function inkProfile() {
    for (const label of document.querySelectorAll('.flame .cell'))
        label.style.color = theme.inkOn(label.dataset.colour);
}

function fillProfile() {
    const profile = profileOf();
    if (!profile || !(profile.activities || []).some(one => one.cycles > 0))
        return;
    document.getElementById('profile-section').hidden = false;
    const tree = flameTree(profile), total = tree.all, table = document.createElement('table');
    const layer = document.createElement('div');
    layer.className = 'layer';
    [...tree.inner.values()].filter(one => one.all > 0).sort((a, b) => b.all - a.all)
        .forEach(one => layer.append(flameCell(one, total)));
    document.getElementById('profile').replaceChildren(layer, table);
    inkProfile();
    fillTable(table, [
        ['activity', '', one => one.name],
        ['share', 'number', one => one.cycles, one => (100 * one.cycles / total).toFixed(1) + ' %'],
        ['cycles', 'number', one => one.cycles, one => formatCount(one.cycles)],
        ['times', 'number', one => one.calls, one => formatCount(one.calls)],
        ['cycles each', 'number', one => one.cycles / (one.calls || 1), one => formatCount(Math.round(one.cycles / (one.calls || 1)))],
        ['', 'wide', null, () => ''],
    ], profile.activities.filter(one => one.cycles > 0).sort((a, b) => b.cycles - a.cycles), () => {});
    document.getElementById('profile-total').textContent = profile.program + '[' + profile.pid + '], ' + formatCount(total) +
        ' cycles' + (profile.hertz ? ', ' + formatDuration(total / profile.hertz * 1e6) + ' of processor time' : '');
}
