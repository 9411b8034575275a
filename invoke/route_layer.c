/* Layers: publishing, reading, listing and deleting their versions. */
#include <inttypes.h>

#include "engine/driver/function_name.h"
#include "invoke/function_answer.h"
#include "invoke/json_tree.h"
#include "invoke/layer_body.h"
#include "invoke/layer_name.h"
#include "invoke/moment.h"
#include "invoke/routes.h"
#include "runtime/launcher.h"

#define PAGE_ITEMS_MAX 50U
#define LOOKED_AT_MAX 5000U /* versions, for one page: then there are fewer, and a marker */

/* --- answers -------------------------------------------------------------------------------- */

/* The members of a version but its content. */
static void put_version(struct buf *json, const struct layer_version *version)
{
    char moment[MOMENT_TEXT_MAX];
    json_t *about = json_tree_read(version->about);
    const char *key;
    json_t *value;

    json_key(json, "LayerVersionArn");
    json_text(json, version->arn);
    json_key(json, "Version");
    json_int(json, version->version);
    json_key(json, "CreatedDate");
    json_text(json, moment_format(moment, version->created_ms));
    if (json_object_get(about, "Description") == NULL) {
        json_key(json, "Description");
        json_text(json, "");
    }
    json_object_foreach(about, key, value)
    {
        json_key(json, key);
        json_tree_put(json, value);
    }
    json_decref(about);
}

static void put_content(struct buf *json, const struct layer_version *version)
{
    struct buf hash = {0};

    function_answer_put_hash(&hash, version->code);
    json_key(json, "Content"); /* without a Location: as of a function's code */
    json_open(json, '{');
    json_key(json, "CodeSha256");
    json_quoted(json, buf_bytes(&hash));
    json_key(json, "CodeSize");
    json_int(json, (int64_t)version->code_bytes);
    json_close(json, '}');
    json->failed = json->failed || hash.failed;
    buf_fini(&hash);
}

static void answer(struct call *call, const struct layer_version *version, int status)
{
    json_open(&call->out, '{');
    json_key(&call->out, "LayerArn");
    json_text(&call->out, version->layer->arn);
    put_version(&call->out, version);
    put_content(&call->out, version);
    json_close(&call->out, '}');
    call_answer(call, status);
}

static void refuse(struct call *call, int code)
{
    switch (code) {
    case FUNCTION_TOO_LARGE:
        call_fail(call, 413, "RequestTooLargeException",
                  "The layer's archive or description is too large.");
        break;
    case FUNCTION_BUSY:
        call_fail(call, 429, "TooManyRequestsException",
                  "Another change of this layer is in progress: try again.");
        break;
    case FUNCTION_TOO_MANY:
        call_fail(call, 400, "CodeStorageExceededException",
                  "The layer has %u versions: delete some that nobody needs.", LAYER_VERSIONS_MAX);
        break;
    case FUNCTION_FULL:
        call_fail(call, 429, "TooManyRequestsException",
                  "There are %u layers, or the journal takes no new work: see 'pawl status'.",
                  LAYERS_MAX);
        break;
    default:
        call_fail(call, 500, "ServiceException",
                  "The layer could not be changed: the daemon's log says why.");
    }
}

/* --- publishing ----------------------------------------------------------------------------- */

static void on_published(void *arg, const struct layer_version *version, const char *error)
{
    struct call *call = arg;

    if (error == NULL) {
        answer(call, version, 201);
    } else if (strncmp(error, LAUNCHER_BLAMES_ARCHIVE, strlen(LAUNCHER_BLAMES_ARCHIVE)) == 0) {
        call_fail(call, 400, "InvalidParameterValueException", "Could not unzip uploaded file: %s",
                  error);
    } else {
        call_fail(call, 500, "ServiceException", "The layer cannot be taken in now: %s. Try again.",
                  error);
    }
}

void route_publish_layer(struct call *call, const struct principal *principal)
{
    struct problem problem = {0};
    struct buf about = {0};
    struct buf archive = {0};
    bool is_ours = false;
    struct bytes name = layer_name_of_path(call, &is_ours);
    int r;

    (void)principal;
    if (name.data == NULL || !call_read_json(call)) {
        return;
    }
    if (!is_ours) {
        call_fail(call, 404, "ResourceNotFoundException",
                  "A layer is published in this account and region: give its name alone.");
    } else if (!layer_body_read(call->json, &about, &archive, &problem)) {
        call_fail_problem(call, &problem);
    } else {
        r = layer_publish(driver_functions(call->service->driver), name, buf_bytes(&about),
                          buf_bytes(&archive), moment_now_ms(), call, on_published);
        if (r != 0) {
            refuse(call, r);
        }
    }
    buf_fini(&about);
    buf_fini(&archive);
}

/* --- reading -------------------------------------------------------------------------------- */

void route_get_layer(struct call *call, const struct principal *principal)
{
    const struct layer_version *version = layer_version_of_path(call);

    (void)principal;
    if (version != NULL) {
        answer(call, version, 200);
    }
}

static void get_by_arn(struct call *call)
{
    struct layer_version *version = NULL;
    struct bytes arn;

    if (!call_query(call, "Arn", &arn)) {
        return;
    }
    if (!layer_version_parse(call, arn, &version)) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "1 validation error detected: Value at 'arn' failed to satisfy constraint: it "
                  "must be the ARN of a layer version, as in "
                  "arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION");
    } else if (version == NULL) {
        call_fail(call, 404, "ResourceNotFoundException", "Layer version %.*s does not exist.",
                  (int)arn.len, (const char *)arn.data);
    } else {
        answer(call, version, 200);
    }
}

/* --- lists ---------------------------------------------------------------------------------- */

struct page {
    struct layer_filter filter;
    struct bytes marker;
    uint32_t items_max;
    uint32_t items;
    uint32_t looked_at;
};

static bool read_page(struct call *call, struct page *page)
{
    return call_query_number(call, "MaxItems", PAGE_ITEMS_MAX, PAGE_ITEMS_MAX, &page->items_max) &&
           call_query(call, "Marker", &page->marker) && layer_filter_read(call, &page->filter);
}

static bool is_full(const struct page *page)
{
    return page->items >= page->items_max || page->looked_at >= LOOKED_AT_MAX;
}

/* The newest one below `before` that the filter takes; NULL: there is none. */
static const struct layer_version *next_match(const struct layer *layer, uint32_t before,
                                              struct page *page)
{
    const struct layer_version *version = layer_version_before(layer, before);

    while (version != NULL && !layer_filter_takes(&page->filter, version->about)) {
        page->looked_at++;
        version = (version->version > 1) ? layer_version_before(layer, version->version) : NULL;
    }
    return version;
}

static void put_layer(struct buf *json, const struct layer *layer,
                      const struct layer_version *newest)
{
    json_element(json);
    json_open(json, '{');
    json_key(json, "LayerName");
    json_text(json, layer->name);
    json_key(json, "LayerArn");
    json_text(json, layer->arn);
    json_key(json, "LatestMatchingVersion");
    json_open(json, '{');
    put_version(json, newest);
    json_close(json, '}');
    json_close(json, '}');
}

static void list_layers(struct call *call, struct page *page)
{
    const struct functions *functions = driver_functions(call->service->driver);
    const struct layer *layer = layer_next(functions, page->marker);
    const struct layer *last = NULL;

    json_open(&call->out, '{');
    json_key(&call->out, "Layers");
    json_open(&call->out, '[');
    for (; layer != NULL && !is_full(page);
         layer = layer_next(functions, bytes_of_text(layer->name))) {
        const struct layer_version *newest = next_match(layer, 0, page);

        last = layer;
        if (newest != NULL) {
            put_layer(&call->out, layer, newest);
            page->items++;
        }
    }
    json_close(&call->out, ']');
    if (layer != NULL && last != NULL) {
        json_key(&call->out, "NextMarker");
        json_text(&call->out, last->name);
    }
    json_close(&call->out, '}');
    call_answer(call, 200);
}

/* With `find` this is GetLayerVersionByArn. */
void route_list_layers(struct call *call, const struct principal *principal)
{
    struct page page = {.items = 0};
    struct bytes find;

    (void)principal;
    if (!call_query(call, "find", &find)) {
        return;
    }
    if (bytes_equal(find, bytes_of_text("LayerVersion"))) {
        get_by_arn(call);
    } else if (!read_page(call, &page)) {
        return;
    } else if (page.marker.len > 0 && !function_name_is_plain(page.marker)) {
        call_fail(call, 400, "InvalidParameterValueException", "The Marker is not one of ours.");
    } else {
        list_layers(call, &page);
    }
}

static void list_versions(struct call *call, const struct layer *layer, uint32_t before,
                          struct page *page)
{
    const struct layer_version *version = NULL;

    json_open(&call->out, '{');
    json_key(&call->out, "LayerVersions");
    json_open(&call->out, '[');
    if (layer != NULL && before != 1) {
        version = next_match(layer, before, page);
    }
    while (version != NULL && page->items < page->items_max) {
        json_element(&call->out);
        json_open(&call->out, '{');
        put_version(&call->out, version);
        json_close(&call->out, '}');
        page->items++;
        before = version->version;
        version = (before > 1) ? next_match(layer, before, page) : NULL;
    }
    json_close(&call->out, ']');
    if (version != NULL) {
        json_key(&call->out, "NextMarker");
        buf_printf(&call->out, "\"%" PRIu32 "\"", before);
    }
    json_close(&call->out, '}');
    call_answer(call, 200);
}

/* Of a layer that is not there, too: it has none. */
void route_list_layer_versions(struct call *call, const struct principal *principal)
{
    struct page page = {.items = 0};
    bool is_ours = false;
    struct bytes name = layer_name_of_path(call, &is_ours);
    uint32_t before;

    (void)principal;
    if (name.data == NULL || !read_page(call, &page)) {
        return;
    }
    before = version_parse(page.marker);
    if (page.marker.len > 0 && before == 0) {
        call_fail(call, 400, "InvalidParameterValueException", "The Marker is not one of ours.");
        return;
    }
    list_versions(call, is_ours ? layer_find(driver_functions(call->service->driver), name) : NULL,
                  before, &page);
}

/* --- deleting ------------------------------------------------------------------------------- */

static void on_deleted(void *arg, int status)
{
    struct call *call = arg;

    if (status != 0) {
        refuse(call, status);
    } else {
        call_respond(call, 204, NULL, bytes_of(NULL, 0));
    }
}

/* One that is not there (any more), or cannot be, is deleted already: Lambda's operation
 * knows no error for it. */
void route_delete_layer(struct call *call, const struct principal *principal)
{
    struct functions *functions = driver_functions(call->service->driver);
    struct layer_version *version = NULL;
    const struct layer *layer = NULL;
    struct bytes name = {0};
    bool is_ours = false;
    int r;

    (void)principal;
    if (layer_name_parse(call, call->labels[0], &name, &is_ours) && is_ours) {
        layer = layer_find(functions, name);
    }
    if (layer != NULL) {
        version = layer_version_find(layer, version_parse(call->labels[1]));
    }
    if (version == NULL) {
        call_respond(call, 204, NULL, bytes_of(NULL, 0));
        return;
    }
    r = layer_version_delete(functions, version, call, on_deleted);
    if (r != 0) {
        refuse(call, r);
    }
}
