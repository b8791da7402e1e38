#include "scripts/top_screen.h"

#include "scripts/say.h"

#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PERIOD_LEAST_MS 200
#define PERIOD_MOST_MS  60000
#define HEAD_LINES      4 /* two of totals, an empty one, the heading of the list */
#define SPARKS          12

enum { PAIR_GOOD = 1, PAIR_BAD, PAIR_DIM };

static bool block_characters;

/* ------------------------------------------------------------------ terminal */

bool top_screen_open(void)
{
    setlocale(LC_ALL, "");
    block_characters = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (!isatty(STDOUT_FILENO)) {
        say("top: standard output is no terminal; --json writes what a program can read");
        return false;
    }
    SCREEN *screen = newterm(NULL, stdout, stdin);
    if (screen == NULL) {
        say("top: the terminal %s is not known; set TERM, to xterm for instance",
            getenv("TERM") != NULL ? getenv("TERM") : "(TERM is not set)");
        return false;
    }
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    curs_set(0);
    if (has_colors()) {
        start_color();
        use_default_colors();
        init_pair(PAIR_GOOD, COLOR_GREEN, -1);
        init_pair(PAIR_BAD, COLOR_RED, -1);
        init_pair(PAIR_DIM, COLOR_CYAN, -1);
    }
    return true;
}

void top_screen_close(void)
{
    endwin();
}

/* ------------------------------------------------------------------ small pictures */

/* The newest values at the right, each as a bar between nothing and the largest. */
static void put_sparks_u32(const uint32_t *values, unsigned count, unsigned width)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const letters[] = {"_", ".", ",", "-", "=", "+", "*", "#"};
    const char *const *bars = block_characters ? blocks : letters;
    uint32_t most = 0;
    unsigned shown = count < width ? count : width;
    const uint32_t *from = values + (count - shown);
    for (unsigned i = 0; i < shown; i++)
        most = from[i] > most ? from[i] : most;
    for (unsigned i = shown; i < width; i++)
        addch(' ');
    for (unsigned i = 0; i < shown; i++)
        addstr(bars[most == 0 ? 0 : (uint64_t)from[i] * 7 / most]);
}

static void put_sparks_float(const float *values, unsigned count, unsigned width)
{
    uint32_t scaled[RATES_HISTORY];
    float most = 1;
    for (unsigned i = 0; i < count; i++)
        most = values[i] > most ? values[i] : most;
    for (unsigned i = 0; i < count; i++)
        scaled[i] = (uint32_t)(values[i] / most * 1e6f);
    put_sparks_u32(scaled, count, width);
}

/* ------------------------------------------------------------------ head */

static void show_rate(char out[SHOWN_MAX], double bytes_per_second)
{
    char bytes[SHOWN_MAX];
    show_bytes(bytes, (uint64_t)bytes_per_second);
    snprintf(out, SHOWN_MAX, "%.40s/s", bytes);
}

static void draw_head(const struct top_view *view, const struct rates *rates)
{
    const struct rates_total *total = &rates->total;
    char now[16], out[SHOWN_MAX], in[SHOWN_MAX];
    time_t seconds = time(NULL);
    struct tm local;
    strftime(now, sizeof now, "%H:%M:%S", localtime_r(&seconds, &local));
    show_rate(out, total->out_bps);
    show_rate(in, total->in_bps);
    mvprintw(0, 0,
             "daytona top %s   %u program%s, %u connection%s (%u established), %u listener%s   ",
             now, total->programs, total->programs == 1 ? "" : "s", total->connections,
             total->connections == 1 ? "" : "s", total->established, total->listeners,
             total->listeners == 1 ? "" : "s");
    if (view->paused)
        addstr("PAUSED");
    else
        printw("every %.1f s", view->period_ms / 1e3);
    mvprintw(1, 0, "out %s   in %s   packets %.0f out %.0f in /s   sent again %.2f %%   ", out, in,
             total->packets_out_per_s, total->packets_in_per_s,
             total->sent_per_s > 0 ? 100 * total->again_per_s / total->sent_per_s : 0.0);
    if (total->dropped > 0)
        attron(COLOR_PAIR(PAIR_BAD));
    printw("lost by capture %" PRIu64, total->dropped);
    attroff(COLOR_PAIR(PAIR_BAD));
    if (rates->out_of_memory)
        addstr("   out of memory: not all are shown");
}

/* ------------------------------------------------------------------ list */

static void draw_heading(const struct top_view *view)
{
    attron(A_REVERSE);
    mvprintw(HEAD_LINES - 1, 0, "%-7s %-12s %-21s %-21s %-11s %9s %9s %8s %8s %8s %7s %-*s %-11s",
             "PID", "PROGRAM", "LOCAL", "REMOTE", "STATE",
             view->order == RATES_BY_OUT ? "OUT/s *" : "OUT/s",
             view->order == RATES_BY_IN ? "IN/s *" : "IN/s",
             view->order == RATES_BY_CWND ? "CWND *" : "CWND", "FLIGHT",
             view->order == RATES_BY_RTT ? "RTT *" : "RTT",
             view->order == RATES_BY_AGAIN ? "AGAIN *" : "AGAIN/s", SPARKS, "RTT LATELY", "LIMIT");
    for (int column = getcurx(stdscr); column < COLS; column++)
        addch(' ');
    attroff(A_REVERSE);
}

static void show_variable(char out[SHOWN_MAX], const struct rated *one, int index)
{
    show_value(out, daytona_variable_at((size_t)index),
               daytona_variable(&one->state.variables, (size_t)index));
}

static void draw_one(int line, const struct rated *one, bool chosen)
{
    char local[SHOWN_MAX], remote[SHOWN_MAX], state[SHOWN_MAX], out[SHOWN_MAX], in[SHOWN_MAX],
        cwnd[SHOWN_MAX], flight[SHOWN_MAX], rtt[SHOWN_MAX], limit[SHOWN_MAX];
    bool listener = one->state.variables.state == DAYTONA_TCP_LISTEN;
    show_endpoint(local, &one->state.local);
    show_endpoint(remote, &one->state.remote);
    show_variable(state, one, DAYTONA_VARIABLE_state);
    show_variable(cwnd, one, DAYTONA_VARIABLE_cur_cwnd);
    show_variable(flight, one, DAYTONA_VARIABLE_pipe_size);
    show_variable(rtt, one, DAYTONA_VARIABLE_smoothed_rtt);
    show_variable(limit, one, DAYTONA_VARIABLE_limited_by);
    show_bytes(out, (uint64_t)one->out_bps);
    show_bytes(in, (uint64_t)one->in_bps);
    if (chosen)
        attron(A_BOLD | A_UNDERLINE);
    if (!one->alive)
        attron(COLOR_PAIR(PAIR_DIM));
    mvprintw(line, 0, "%-7u %-12.12s %-21.21s %-21.21s %-11.11s ", one->pid, one->program, local,
             listener ? "*" : remote, state);
    if (listener) {
        printw("%" PRIu64 " accepted, %" PRIu64 " of %" PRIu64 " wait",
               one->state.variables.accepted, one->state.variables.cur_backlog,
               one->state.variables.max_backlog);
    } else {
        printw("%9s %9s %8s %8s %8s ", out, in, cwnd, flight, rtt);
        if (one->again_per_s > 0)
            attron(COLOR_PAIR(PAIR_BAD));
        printw("%7.1f ", one->again_per_s);
        attroff(COLOR_PAIR(PAIR_BAD));
        put_sparks_u32(one->rtt_us, one->looks, SPARKS);
        printw(" %-11.11s", limit);
    }
    attroff(A_BOLD | A_UNDERLINE);
    attroff(COLOR_PAIR(PAIR_DIM));
}

static void draw_list(struct top_view *view, const struct rates *rates)
{
    size_t lines = LINES > HEAD_LINES + 1 ? (size_t)(LINES - HEAD_LINES - 1) : 0;
    draw_heading(view);
    if (view->chosen >= rates->count)
        view->chosen = rates->count > 0 ? rates->count - 1 : 0;
    if (view->chosen < view->first)
        view->first = view->chosen;
    if (lines > 0 && view->chosen >= view->first + lines)
        view->first = view->chosen - lines + 1;
    for (size_t i = 0; i < lines && view->first + i < rates->count; i++)
        draw_one(HEAD_LINES + (int)i, &rates->all[view->first + i],
                 view->first + i == view->chosen);
    if (rates->count == 0)
        mvaddstr(HEAD_LINES, 0,
                 "Nothing is on Daytona. `daytona run --listen 8080 -- PROGRAM` brings it there.");
}

/* ------------------------------------------------------------------ one of them */

static void draw_detail(struct top_view *view, const struct rates *rates)
{
    const struct rated *one = &rates->all[view->chosen];
    char local[SHOWN_MAX], remote[SHOWN_MAX], value[SHOWN_MAX], rate_text[SHOWN_MAX];
    show_endpoint(local, &one->state.local);
    show_endpoint(remote, &one->state.remote);
    show_rate(rate_text, one->out_bps);
    attron(A_BOLD);
    mvprintw(3, 0, "%s[%u]  %s - %s  %s", one->program, one->pid, local, remote,
             one->state.congestion);
    attroff(A_BOLD);
    mvaddstr(4, 0, "out  ");
    put_sparks_float(one->out_history, one->looks, RATES_HISTORY);
    printw("  %s", rate_text);
    mvaddstr(5, 0, "cwnd ");
    put_sparks_u32(one->cwnd_bytes, one->looks, RATES_HISTORY);
    show_variable(value, one, DAYTONA_VARIABLE_cur_cwnd);
    printw("  %s", value);
    mvaddstr(6, 0, "rtt  ");
    put_sparks_u32(one->rtt_us, one->looks, RATES_HISTORY);
    show_variable(value, one, DAYTONA_VARIABLE_smoothed_rtt);
    printw("  %s", value);
    const int top = 8, width = 40;
    int columns = COLS / width > 0 ? COLS / width : 1;
    size_t lines = LINES > top + 1 ? (size_t)(LINES - top - 1) : 0, place = 0;
    for (size_t i = view->detail_first; i < DAYTONA_VARIABLE_COUNT; i++) {
        if (daytona_variable(&one->state.variables, i) == DAYTONA_VARIABLE_NONE)
            continue;
        if (lines == 0 || place >= lines * (size_t)columns)
            break;
        show_variable(value, one, (int)i);
        mvprintw(top + (int)(place % lines), (int)(place / lines) * width, "%-22.22s %15.15s",
                 daytona_variable_at(i)->name, value);
        place++;
    }
}

/* ------------------------------------------------------------------ help and foot */

static void draw_help(void)
{
    static const char *const lines[] = {
        "o  in the order of bytes out (acknowledged by the peer)",
        "i  of bytes in               r  of the round trip",
        "a  of segments sent again    c  of cwnd",
        "p  of processes",
        "Up Down PgUp PgDn Home End   choose a connection",
        "Enter   everything about it, and back",
        "+ -     look more often, less often",
        "Space   stand still, go on",
        "q       quit",
        "",
        "AGAIN/s are segments sent again per second, FLIGHT is thought to be in the network,",
        "LIMIT is what keeps the sender from sending more. `daytona stat` tells all, `trace` why.",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        mvaddstr(HEAD_LINES - 1 + (int)i, 2, lines[i]);
}

void top_screen_draw(struct top_view *view, const struct rates *rates)
{
    erase();
    draw_head(view, rates);
    if (rates->count == 0)
        view->detail = false;
    if (view->help)
        draw_help();
    else if (view->detail && view->chosen < rates->count)
        draw_detail(view, rates);
    else
        draw_list(view, rates);
    mvaddnstr(
        LINES - 1, 0,
        "q quit  h help  o i r a c p order  Enter one connection  Space stand still  + - period",
        COLS - 1);
    refresh();
}

/* ------------------------------------------------------------------ keys */

static void hold(struct top_view *view, const struct rates *rates)
{
    view->holds = view->chosen < rates->count && (view->chosen > 0 || view->detail);
    if (!view->holds)
        return;
    view->keeper = rates->all[view->chosen].keeper;
    view->id = rates->all[view->chosen].state.id;
}

void top_screen_follow(struct top_view *view, const struct rates *rates)
{
    for (size_t i = 0; view->holds && i < rates->count; i++) {
        const struct rated *one = &rates->all[i];
        if (one->keeper == view->keeper && one->state.id.index == view->id.index &&
            one->state.id.generation == view->id.generation) {
            view->chosen = i;
            return;
        }
    }
    if (view->holds)
        view->detail = view->holds = false;
}

static void move_by(struct top_view *view, const struct rates *rates, long by)
{
    size_t *place = view->detail ? &view->detail_first : &view->chosen;
    size_t end = view->detail ? DAYTONA_VARIABLE_COUNT : rates->count;
    long to = (long)*place + by;
    if (to >= (long)end)
        to = (long)end - 1;
    *place = to > 0 ? (size_t)to : 0;
}

static void change_period(struct top_view *view, bool shorter)
{
    unsigned period = shorter ? view->period_ms / 2 : view->period_ms * 2;
    if (period >= PERIOD_LEAST_MS && period <= PERIOD_MOST_MS)
        view->period_ms = period;
}

static void obey(struct top_view *view, const struct rates *rates, int key)
{
    static const char orders[] = "oiarcp"; /* enum rates_order */
    const char *order = key > 0 && key < 128 ? strchr(orders, key) : NULL;
    long page = LINES > HEAD_LINES + 2 ? LINES - HEAD_LINES - 1 : 1;
    if (order != NULL)
        view->order = (enum rates_order)(order - orders);
    else if (key == 'q' || key == 'Q')
        view->quit = true;
    else if (key == 'h' || key == '?')
        view->help = !view->help;
    else if (key == ' ')
        view->paused = !view->paused;
    else if (key == '\n' || key == KEY_ENTER)
        view->detail = !view->detail;
    else if (key == 27 || key == KEY_BACKSPACE)
        view->detail = view->help = false;
    else if (key == '+' || key == '-')
        change_period(view, key == '+');
    else if (key == KEY_UP || key == KEY_DOWN)
        move_by(view, rates, key == KEY_DOWN ? 1 : -1);
    else if (key == KEY_NPAGE || key == KEY_PPAGE)
        move_by(view, rates, key == KEY_NPAGE ? page : -page);
    else if (key == KEY_HOME || key == KEY_END)
        move_by(view, rates,
                key == KEY_END ? (long)rates->count + DAYTONA_VARIABLE_COUNT
                               : -(long)view->chosen - DAYTONA_VARIABLE_COUNT);
}

bool top_screen_key(struct top_view *view, const struct rates *rates, unsigned wait_ms)
{
    timeout((int)wait_ms);
    int key = getch();
    if (key == ERR)
        return false;
    bool detail = view->detail, help = view->help;
    obey(view, rates, key);
    if (detail != view->detail || help != view->help)
        clear(); /* another page: drawn anew as a whole */
    hold(view, rates);
    return true;
}
