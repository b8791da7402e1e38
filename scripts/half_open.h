/*
 * half_open.h - the segment that makes a peer notice that its connection is half open
 * (RFC 9293 section 3.5.1): this end died by a signal and with it all state, the other end waits.
 *
 * It is an ACK before all that was ever sent, so no peer can take it for anything: section 3.10.7.4
 * has it answered with an ACK that says what the peer expects next. This host's kernel knows no
 * such connection and answers that with a RST (section 3.10.7.1) which bears exactly this number,
 * so the peer believes it (RFC 5961 section 3.2). A host that has crashed and come back ends its
 * connections in the same way, when the peer speaks next; this only makes it speak.
 *
 * A connection that exists, of whoever has the ports now, is not harmed: it gets an ACK that its
 * sender never needed, and drops it.
 */
#ifndef DAYTONA_SCRIPTS_HALF_OPEN_H
#define DAYTONA_SCRIPTS_HALF_OPEN_H

#include "preload/ledger_row.h"
#include "scripts/plan.h"

#include <daytona/stack.h>

/** Whether the row of a ledger, which anybody may have written, may be acted upon: between unicast
 *  addresses, from a port that the plan gives the program. Whether the local address is this host's
 *  is asked in half_open_is_here(). */
bool half_open_is_planned(const struct ledger_connection *connection, const struct plan *plan);

/** Whether the kernel would send from the local address by itself. Asks the kernel. */
bool half_open_is_here(const struct ledger_connection *connection);

/** Writes the segment. It bears no timestamp: Linux drops a bare ACK without a word when its
 *  timestamp is old, and the dead program's clock is not known. A peer that insists on timestamps
 *  once agreed upon (RFC 7323 section 3.2) drops it as it is, and learns when it sends. */
void half_open_compose(const struct ledger_connection *connection, struct daytona_packet_out *out);

#endif
