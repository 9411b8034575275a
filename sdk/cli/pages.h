/* Lists that the daemon answers page by page (Marker, NextMarker, MaxItems). */
#ifndef SDK_CLI_PAGES_H
#define SDK_CLI_PAGES_H

#include "sdk/cli/request.h"

#define CLI_PAGES_MAX 100000 /* a daemon that never ends a list is not followed for ever */

/* Not an exit code: the callback has seen enough. */
#define CLI_PAGES_STOP (-1)

struct cli_pages {
    const char *path;   /* with its query, without Marker and MaxItems */
    const char *member; /* the array: "Functions", "Events" */
    const char *what;   /* as in struct cli_request */
    int64_t items_max;  /* of all pages; 0: no limit */
    int64_t page_max;   /* of one page */
    /* One page's items; borrowed. 0: go on; CLI_PAGES_STOP; or an exit code. */
    int (*on_items)(void *arg, const json_t *items);
    void *arg;
};

int cli_pages_read(struct cli_session *session, const struct cli_pages *pages);

/* Prints {"member":[...]} with the elements of all pages as the daemon wrote them. */
int cli_pages_print_json(struct cli_session *session, const struct cli_pages *pages);

/* One page. `marker` is "" for the first; on return it holds the next page's, or "". */
struct cli_page {
    struct cli_reply reply;
    json_t *json;
    const json_t *items; /* an array, never NULL */
};

int cli_page_read(struct cli_session *session, const struct cli_pages *pages, struct buf *marker,
                  int64_t items_max, struct cli_page *ret_page);
void cli_page_fini(struct cli_page *page);

#endif /* SDK_CLI_PAGES_H */
