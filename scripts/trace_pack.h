/*
 * trace_pack.h - packs events against earlier ones (trace_file.h has the form).
 */
#ifndef DAYTONA_SCRIPTS_TRACE_PACK_H
#define DAYTONA_SCRIPTS_TRACE_PACK_H

#include "scripts/trace_file.h"

#define TRACE_PACKED_MAX 256

/** Packs; returns the length, at most TRACE_PACKED_MAX. */
size_t trace_pack(struct trace_packer *packer, const struct daytona_ring_event *event,
                  uint8_t *out);

/** Unpacks; returns how many bytes were used, 0: they are no event. */
size_t trace_unpack(struct trace_packer *packer, struct daytona_span bytes,
                    struct daytona_ring_event *out);

#endif
