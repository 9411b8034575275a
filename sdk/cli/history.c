/* pawl history: the events of an execution, once or as they come.
 *
 * The daemon's markers are stable: the last page is read again with the same marker
 * until an event closes the execution. Events seen before are known by their ids,
 * which grow without gaps. */
#include <inttypes.h>
#include <string.h>

#include "sdk/cli/commands.h"
#include "sdk/cli/complain.h"
#include "sdk/cli/elements.h"
#include "sdk/cli/event_detail.h"
#include "sdk/cli/execution_id.h"
#include "sdk/cli/grid.h"
#include "sdk/cli/member.h"
#include "sdk/cli/pages.h"
#include "sdk/cli/path.h"
#include "sdk/cli/timeline.h"
#include "sdk/cli/when.h"

#define PAGE_ITEMS 500
#define FOLLOW_MS 500
#define WIDTH_PLAIN 100 /* of a timeline that does not go to a terminal */

struct history {
    struct cli_session *session;
    struct cli_pages pages;
    struct cli_grid grid;
    struct cli_timeline timeline;
    struct buf marker; /* of the page that is read (again) */
    int64_t last_id;
    int64_t start_ms;
    bool is_followed;
    bool wants_timeline;
};

static bool is_closed(const struct history *history)
{
    return strcmp(cli_timeline_status(&history->timeline), "RUNNING") != 0;
}

static void add_row(struct history *history, const json_t *event)
{
    int64_t time_ms = cli_member_time_ms(event, "EventTimestamp");
    const char *type = cli_member_text(event, "EventType");
    const char *name = cli_member_text(event, "Name");
    char text[CLI_WHEN_TEXT_MAX];
    struct buf detail = {0};

    cli_grid_printf(&history->grid, "%" PRId64, cli_member_number(event, "EventId"));
    cli_grid_add(&history->grid, COLOR_DIM,
                 cli_when_format(text, time_ms, history->session->is_terminal));
    cli_grid_add(&history->grid, COLOR_NONE,
                 cli_duration_format(text, time_ms - history->start_ms));
    cli_grid_add(&history->grid, cli_event_color(type), type);
    cli_grid_add(&history->grid, COLOR_NONE,
                 (name[0] != '\0') ? name : cli_member_text(event, "Id"));
    cli_event_detail(&detail, event);
    buf_append(&detail, "", 1);
    cli_grid_add(&history->grid, COLOR_NONE, detail.failed ? "" : (const char *)detail.data);
    buf_fini(&detail);
}

static void add_event(struct history *history, const json_t *event, struct bytes raw)
{
    int64_t id = cli_member_number(event, "EventId");

    if (id <= history->last_id) {
        return;
    }
    history->last_id = id;
    if (history->start_ms < 0) {
        history->start_ms = cli_member_time_ms(event, "EventTimestamp");
    }
    cli_timeline_add(&history->timeline, event);
    if (history->session->is_json) {
        cli_session_print(history->session, raw);
    } else if (!history->wants_timeline) {
        add_row(history, event);
    }
}

static int add_page(struct history *history, const struct cli_page *page)
{
    struct cli_elements elements;
    struct bytes raw = {0};
    const json_t *event;
    size_t i;

    if (!cli_elements_find(&elements, buf_bytes(&page->reply.body), "Events")) {
        return cli_complain(CLI_SERVER, "the daemon wrote the member 'Events' in a strange way");
    }
    json_array_foreach(page->items, i, event)
    {
        (void)cli_elements_next(&elements, &raw);
        add_event(history, event, raw);
    }
    if (history->is_followed && !history->session->is_json && !history->wants_timeline) {
        int r = cli_grid_print(&history->grid, history->session);

        (void)fflush(history->session->out);
        return r;
    }
    (void)fflush(history->session->out);
    return 0;
}

/* One page; afterwards history->marker is the place to read next. */
static int read_page(struct history *history, bool *ret_has_more)
{
    struct cli_page page = {0};
    struct buf marker = {0};
    int r;

    buf_append(&marker, history->marker.data, history->marker.len);
    if (marker.failed) {
        return cli_complain_memory();
    }
    r = cli_page_read(history->session, &history->pages, &marker, PAGE_ITEMS, &page);
    if (r == 0) {
        r = add_page(history, &page);
        *ret_has_more = marker.len > 1 && json_array_size(page.items) > 0;
        cli_page_fini(&page);
    }
    if (r == 0 && *ret_has_more) {
        buf_fini(&history->marker);
        history->marker = marker;
    } else {
        buf_fini(&marker);
    }
    return r;
}

static int read_events(struct history *history)
{
    bool has_more = false;
    int r;

    do {
        r = read_page(history, &has_more);
        if (r == 0 && !has_more && history->is_followed && !is_closed(history)) {
            cli_sleep_ms(FOLLOW_MS);
        }
    } while (r == 0 && (has_more || (history->is_followed && !is_closed(history))));
    return r;
}

static int draw(struct history *history)
{
    struct cli_session *session = history->session;
    struct buf picture = {0};
    int r;

    if (!history->wants_timeline) {
        buf_append_text(&picture, "\n"); /* below the events */
    }
    r = cli_timeline_draw(&history->timeline, session,
                          (session->width != 0) ? session->width : WIDTH_PLAIN, cli_now_ms(),
                          &picture);
    if (r == 0) {
        (void)fwrite(picture.data, 1, picture.len, session->out);
    }
    buf_fini(&picture);
    return r;
}

static int run(struct history *history)
{
    struct cli_session *session = history->session;
    int r;

    if (session->is_json && !history->is_followed) {
        return cli_pages_print_json(session, &history->pages);
    }
    r = read_events(history);
    if (r != 0 || session->is_json) {
        return r;
    }
    if (!history->wants_timeline) {
        r = cli_grid_print(&history->grid, session);
    }
    if (r == 0 && (history->wants_timeline || (session->is_terminal && is_closed(history)))) {
        r = draw(history);
    }
    return r;
}

/* What a script that follows wants to know. */
static int judge(const struct history *history, const char *id)
{
    const char *status = cli_timeline_status(&history->timeline);

    if (!history->is_followed || strcmp(status, "SUCCEEDED") == 0) {
        return 0;
    }
    return cli_complain(CLI_FAILED, "execution %s ended as %s", id, status);
}

int cli_run_history(struct cli_session *session, const struct cli_arguments *arguments)
{
    static const char *const titles[] = {">ID", "TIME", ">AFTER", "EVENT", "NAME", "DETAIL", NULL};
    struct history history = {.session = session,
                              .start_ms = -1,
                              .is_followed = cli_argument_given(arguments, "follow"),
                              .wants_timeline = cli_argument_given(arguments, "timeline")};
    char arn[CLI_ARN_MAX + 1];
    struct buf path = {0};
    char what[256];
    int r = cli_execution_resolve(session, cli_operand(arguments, 0),
                                  cli_argument(arguments, "function", 0), arn);

    if (r != 0) {
        return r;
    }
    (void)snprintf(what, sizeof what, "read the history of %s", cli_operand(arguments, 0));
    cli_path_append_execution(&path, arn, "/history");
    buf_append(&path, "", 1);
    cli_grid_init(&history.grid, titles);
    history.pages = (struct cli_pages){
        .path = (const char *)path.data, .member = "Events", .what = what, .page_max = PAGE_ITEMS};
    r = path.failed ? cli_complain_memory() : run(&history);
    r = (r == 0) ? judge(&history, cli_operand(arguments, 0)) : r;
    cli_grid_fini(&history.grid);
    cli_timeline_fini(&history.timeline);
    buf_fini(&history.marker);
    buf_fini(&path);
    return r;
}
