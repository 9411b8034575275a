/* GET /pawl/v1/executions?Sort=...: the journal's order is by start, so for any other
 * all that match are read, page by page, and sorted here. More than
 * EXECUTION_SORT_MAX are refused: then narrow the question down. */
#ifndef INVOKE_EXECUTION_SORT_H
#define INVOKE_EXECUTION_SORT_H

#include "invoke/call.h"

#define EXECUTION_SORT_MAX 10000U

/* `filter` is copied, with texts that live as long as the call; its marker is one of
 * ours. `key`: end, status, name or duration, ascending by text, the latest and the
 * longest first. Answers. */
void execution_sort(struct call *call, const struct list_request *filter, struct bytes key,
                    bool is_reverse);

#endif /* INVOKE_EXECUTION_SORT_H */
