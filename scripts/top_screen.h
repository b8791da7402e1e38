/*
 * top_screen.h - the screen of `daytona top`: a head, a line for each connection with its
 * sparkline, and everything about one of them. Needs ncurses.
 */
#ifndef DAYTONA_SCRIPTS_TOP_SCREEN_H
#define DAYTONA_SCRIPTS_TOP_SCREEN_H

#include "scripts/rates.h"

/** What is shown, and what keys change. */
struct top_view {
    enum rates_order order;
    unsigned period_ms;
    bool paused, help, quit;
    bool detail;  /**< everything about the chosen one */
    bool holds;   /**< the chosen one keeps its mark when the order changes */
    pid_t keeper; /**< which that is */
    struct daytona_socket_id id;
    size_t chosen; /**< line of the list that is marked */
    size_t first;  /**< line of the list at the top of the screen */
    size_t detail_first;
};

/** Takes the terminal. False: it cannot be used, which has been said. */
bool top_screen_open(void);
void top_screen_close(void);

/** Waits for a key until period_ms have gone, or not at all while paused, and does what it says.
 * True: a key came, only the view has changed. */
bool top_screen_key(struct top_view *view, const struct rates *rates, unsigned wait_ms);

/** After a look, or when the order has changed: finds the chosen one again. */
void top_screen_follow(struct top_view *view, const struct rates *rates);

void top_screen_draw(struct top_view *view, const struct rates *rates);

#endif
