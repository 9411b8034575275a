#include "sdk/cli/pages.h"

#include <string.h>

#include "sdk/cli/complain.h"
#include "sdk/cli/elements.h"
#include "sdk/cli/member.h"
#include "sdk/cli/path.h"

void cli_page_fini(struct cli_page *page)
{
    json_decref(page->json);
    cli_reply_fini(&page->reply);
    *page = (struct cli_page){0};
}

static void set_marker(struct buf *marker, const char *text)
{
    marker->len = 0;
    buf_append(marker, text, strlen(text) + 1);
}

/* Reads what the answer holds; the page is the caller's to release in every case. */
static int parse_page(const struct cli_pages *pages, const struct cli_request *request,
                      struct buf *marker, struct cli_page *page)
{
    int r = cli_reply_json(request, &page->reply, &page->json);

    if (r != 0) {
        return r;
    }
    page->items = cli_member(page->json, pages->member);
    if (!json_is_array(page->items)) {
        return cli_complain(CLI_SERVER, "cannot %s: the daemon's answer has no list '%s'",
                            pages->what, pages->member);
    }
    set_marker(marker, cli_member_text(page->json, "NextMarker"));
    return marker->failed ? cli_complain_memory() : 0;
}

int cli_page_read(struct cli_session *session, const struct cli_pages *pages, struct buf *marker,
                  int64_t items_max, struct cli_page *ret_page)
{
    struct buf path = {0};
    struct cli_request request = {
        .method = "GET", .path = &path, .what = pages->what, .is_repeatable = true};
    struct cli_page page = {0};
    int r;

    cli_path_append(&path, pages->path);
    cli_path_append_query_number(&path, "MaxItems", items_max);
    if (marker->len > 1) {
        cli_path_append_query(&path, "Marker", (const char *)marker->data);
    }
    r = cli_request_send(session, &request, &page.reply);
    r = (r == 0) ? parse_page(pages, &request, marker, &page) : r;
    buf_fini(&path);
    if (r != 0) {
        cli_page_fini(&page);
        return r;
    }
    *ret_page = page;
    return 0;
}

typedef int (*on_page)(void *arg, const struct cli_page *page);

static int read_all(struct cli_session *session, const struct cli_pages *pages, on_page take,
                    void *arg)
{
    struct buf marker = {0};
    int64_t left = (pages->items_max != 0) ? pages->items_max : INT64_MAX;
    int r = 0;

    for (int i = 0; r == 0 && left > 0 && i < CLI_PAGES_MAX; i++) {
        struct cli_page page = {0};
        int64_t items_max = (left < pages->page_max) ? left : pages->page_max;

        r = cli_page_read(session, pages, &marker, items_max, &page);
        if (r != 0) {
            break;
        }
        left -= (int64_t)json_array_size(page.items);
        r = take(arg, &page);
        cli_page_fini(&page);
        if (marker.len <= 1) {
            break;
        }
    }
    buf_fini(&marker);
    return (r == CLI_PAGES_STOP) ? 0 : r;
}

static int hand_over(void *arg, const struct cli_page *page)
{
    const struct cli_pages *pages = arg;

    return pages->on_items(pages->arg, page->items);
}

int cli_pages_read(struct cli_session *session, const struct cli_pages *pages)
{
    struct cli_pages copy = *pages;

    return read_all(session, pages, hand_over, &copy);
}

struct printer {
    struct cli_session *session;
    const char *member;
    bool is_open;
    bool has_one;
};

static int print_elements(void *arg, const struct cli_page *page)
{
    struct printer *printer = arg;
    struct cli_elements elements;
    struct bytes element;

    if (!cli_elements_find(&elements, buf_bytes(&page->reply.body), printer->member)) {
        return cli_complain(CLI_SERVER, "the daemon wrote the member '%s' in a strange way",
                            printer->member); /* doubled or escaped: the parser saw it */
    }
    if (!printer->is_open) {
        (void)fprintf(printer->session->out, "{\"%s\":[", printer->member);
        printer->is_open = true;
    }
    while (cli_elements_next(&elements, &element)) {
        if (printer->has_one) {
            (void)fputc(',', printer->session->out);
        }
        (void)fwrite(element.data, 1, element.len, printer->session->out);
        printer->has_one = true;
    }
    return 0;
}

int cli_pages_print_json(struct cli_session *session, const struct cli_pages *pages)
{
    struct printer printer = {.session = session, .member = pages->member};
    int r = read_all(session, pages, print_elements, &printer);

    if (r == 0) {
        (void)fputs("]}\n", session->out); /* else it stays open: no one takes it as whole */
    }
    return r;
}
