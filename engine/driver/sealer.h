/* Frames: sealing what a command recorded, and opening it again. The only place
 * that knows both the layout (journal/frame.h) and the keys. */
#ifndef ENGINE_DRIVER_SEALER_H
#define ENGINE_DRIVER_SEALER_H

#include "engine/core/execution.h"
#include "journal/frame.h"
#include "sdk/wire/wire.h"
#include "tenants/keys.h"

/* Appends one frame to `out`: `records` have just been applied to `exec`. `chain`
 * is that before it (zeroes before the first), and afterwards that after it. `plain` is
 * memory to write them in before they are sealed. */
int sealer_make(struct buf *out, struct buf *plain, const struct tenant_keys *keys,
                const struct exec *exec, const struct record *records, uint32_t count,
                uint8_t chain[SEAL_CHAIN_BYTES]);

/* Opens a frame into `arena`. `chain` as above; a frame that was changed, moved or
 * whose chain does not continue is ERR_CORRUPT, and is not logged here. */
int sealer_open(struct arena *arena, const struct tenant_keys *keys, struct bytes frame,
                uint8_t chain[SEAL_CHAIN_BYTES], struct frame_header *ret_header,
                struct frame_opening *ret_opening, struct record **ret_records, size_t *ret_count);

/* The title of an opening: what lists show. Texts in `arena`. */
struct title {
    struct bytes function; /* qualified ARN */
    struct bytes name;
};
int sealer_open_title(struct arena *arena, const struct tenant_keys *keys, const struct id *exec_id,
                      struct bytes sealed, struct title *ret_title);

#endif /* ENGINE_DRIVER_SEALER_H */
