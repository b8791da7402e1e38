/*
 * profile_view.h - reads the profiles of processes (daytona/profile.h) and shows them: for people,
 * as JSON, and as folded stacks. Nothing in a profile is believed that could hurt the reader.
 */
#ifndef DAYTONA_SCRIPTS_PROFILE_VIEW_H
#define DAYTONA_SCRIPTS_PROFILE_VIEW_H

#include <daytona/profile.h>
#include <stdio.h>

/** A copy of a profile. */
struct profile_view {
    struct daytona_profile_table table;
    struct daytona_profile_row *rows; /**< those in use, by index */
    size_t row_count;
};

/** Reads the file at `path`; `rows`: those of connections, too. 0, -ENOENT: nothing was ever
 *  counted, -EINVAL: it is none, or of another version, -errno. */
int profile_view_read(struct profile_view *view, const char *path, bool rows);
void profile_view_release(struct profile_view *view);

/** Leaves in `view` what was counted since `before`, a view of the same profile. Nothing happens
 *  when it was switched on again meanwhile. */
void profile_view_since(struct profile_view *view, const struct profile_view *before);

/** Cycles of all activities, and of them those that counting cost. */
struct profile_sum {
    uint64_t net, cost;
};
struct profile_sum profile_view_sum(const struct profile_view *view);

/** A table for people; `connections`: one for each of them, too. */
void profile_view_table(const struct profile_view *view, bool connections, FILE *out);

/** An object, without anything behind it. */
void profile_view_json(const struct profile_view *view, bool connections, FILE *out);

/** A line for each place: names from the outermost on with semicolons between, a space, cycles. */
void profile_view_folded(const struct profile_view *view, FILE *out);

#endif
