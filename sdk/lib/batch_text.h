/* The result of a batch as it is stored, in the form of AWS's SDKs:
 *
 *     {"all":[{"index":0,"status":"SUCCEEDED","result":2},
 *             {"index":1,"status":"FAILED","error":{"ErrorType":"Declined", …}}],
 *      "completionReason":"ALL_COMPLETED"}
 *
 * and where that is too large, or a result is not JSON, only a summary: a replay then
 * takes the results from the branches. Of a flat batch the summary also says how each item
 * ended, because no record of a branch does:
 *
 *     {"type":"MapResult", …, "completionReason":"ALL_COMPLETED", "items":"SF-"} */
#ifndef SDK_LIB_BATCH_TEXT_H
#define SDK_LIB_BATCH_TEXT_H

#include "sdk/lib/context.h"

/* False when the results do not fit; then only the summary can be stored. */
bool batch_put(struct buf *buf, const struct pawl_batch *batch);
void batch_put_summary(struct buf *buf, const struct pawl_batch *batch, bool is_map, bool is_flat);

/* Fills `items` (of batch->count) and the counts. False when the text is not of this
 * form. Texts live in ctx's memory. */
bool batch_get(struct pawl_context *ctx, struct bytes text, struct pawl_item *items,
               struct pawl_batch *batch);

/* Only how it was completed, from either form. */
bool batch_get_completion(struct bytes text, enum pawl_completion *ret_completion);

/* Sets the status of each of the `count` items as the summary of a flat batch has it. False
 * when it is of another count, or not of a flat batch. */
bool batch_get_statuses(struct bytes text, struct pawl_item *items, size_t count);

/* Counts what the items say. */
void batch_count(struct pawl_batch *batch);

#endif /* SDK_LIB_BATCH_TEXT_H */
