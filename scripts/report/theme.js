/* ---- Light and dark. */

const theme = {
    choice: 'auto',
    system: matchMedia('(prefers-color-scheme: dark)'),
    /* The colour of a name in page.css. */
    colour(name) {
        return this.known[name] ??= getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
    },
    /* A colour for text on that one. */
    inkOn(name) {
        const [red, green, blue] = [1, 3, 5].map(i => parseInt(this.colour(name).slice(i, i + 2), 16) / 255);
        return 0.2126 * red ** 2.2 + 0.7152 * green ** 2.2 + 0.0722 * blue ** 2.2 > 0.3 ? '#10151a' : '#ffffff';
    },
    known: {},
    changed: () => {},
};

function applyTheme() {
    const dark = theme.choice === 'dark' || (theme.choice === 'auto' && theme.system.matches);
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
    document.getElementById('theme').textContent = theme.choice;
    theme.known = {};
    theme.changed();
}

function beginTheme() {
    try {
        theme.choice = localStorage.getItem('daytona-theme') || 'auto';
    } catch { /* a page from a file may have no storage */
    }
    document.getElementById('theme').addEventListener('click', () => {
        theme.choice = {auto: 'light', light: 'dark', dark: 'auto'}[theme.choice];
        try {
            localStorage.setItem('daytona-theme', theme.choice);
        } catch { /* as above */
        }
        applyTheme();
    });
    theme.system.addEventListener('change', applyTheme);
    applyTheme();
}

/* Colours of what limits a sender, and of causes, in the order of their numbers. */
const limitColours = ['pale', 'pale', 'yellow', 'orange', 'blue', 'sky', 'purple', 'purple'];
const causeColours = {
    'round trips': 'pale', 'application': 'green', 'peer': 'grey', 'sender limited': 'yellow',
    'receiver window': 'orange', 'congestion window': 'blue', 'single loss': 'red', 'loss burst': 'red',
    'delayed ACK': 'purple', 'Nagle': 'purple', 'ICMP': 'yellow', 'path delay': 'sky',
};
