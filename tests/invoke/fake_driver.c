#include "tests/invoke/fake_driver.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/driver/function_name.h"
#include "journal/journal.h"

struct fake fake;

void fake_reset(void)
{
    for (size_t i = 0; i < fake.function_count; i++) {
        free((void *)(uintptr_t)fake.functions[i].name);
        free((void *)(uintptr_t)fake.functions[i].arn);
    }
    fake = (struct fake){.json = "{}"};
}

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
    va_list args;
    size_t len = strlen(fake.asked);

    va_start(args, format);
    (void)vsnprintf(fake.asked + len, sizeof fake.asked - len, format, args);
    va_end(args);
}

static void begin(const char *name)
{
    fake.asks++;
    fake.asked[0] = '\0';
    note("%s", name);
}

static void note_bytes(const char *name, struct bytes value)
{
    if (value.data != NULL && value.len > 0) {
        note(" %s=%.*s", name, (int)value.len, (const char *)value.data);
    }
}

/* --- the driver ---------------------------------------------------------------------- */

void driver_options_default(struct driver_options *ret_options)
{
    *ret_options = (struct driver_options){.core = core_limits_default,
                                           .pool = {.environments_max = 256, .idle_ms = 300000},
                                           .drain_s = 30,
                                           .region = "us-east-1"};
}

struct functions *driver_functions(struct driver *driver)
{
    (void)driver;
    return (struct functions *)(void *)&fake;
}

void driver_function_changed(struct driver *driver, struct function *function)
{
    (void)driver;
    (void)function;
}

struct logs *driver_logs(struct driver *driver)
{
    (void)driver;
    return (struct logs *)(void *)&fake;
}

void fake_answer_invoke(void)
{
    struct invoke_request *request = fake.held_invoke;

    fake.held_invoke = NULL;
    request->error = fake.error;
    request->has_payload = fake.answer.has_payload;
    request->result = fake.answer.result;
    request->function_error = fake.answer.function_error;
    request->executed_version = fake.answer.executed_version;
    request->execution_arn = fake.answer.execution_arn;
    request->log_tail = fake.answer.log_tail;
    request->cb(request);
}

void driver_invoke(struct driver *driver, struct invoke_request *request)
{
    static const char *const types[] = {"sync", "event", "dry"};

    (void)driver;
    begin("invoke");
    note_bytes("function", request->function);
    note_bytes("qualifier", request->qualifier);
    note(" type=%s", types[request->type]);
    note_bytes("payload", request->payload);
    note_bytes("name", request->execution_name);
    note_bytes("tenant", request->tenant_id);
    note_bytes("context", request->client_context);
    note_bytes("trace", request->trace_id);
    note("%s", request->wants_log_tail ? " log" : "");
    fake.held_invoke = request;
    if (!fake.is_holding) {
        fake_answer_invoke();
    }
}

bool fake_give_piece(struct bytes piece)
{
    fake.held_invoke->executed_version = fake.answer.executed_version;
    return fake.held_invoke->on_piece(fake.held_invoke, piece);
}

void driver_invoke_resume(struct driver *driver, struct invoke_request *request)
{
    (void)driver;
    fake.resumed += (request == fake.held_invoke) ? 1 : 0;
}

void driver_invoke_abandon(struct driver *driver, struct invoke_request *request)
{
    (void)driver;
    fake.abandoned += (request == fake.held_invoke) ? 1 : 0;
    fake.held_invoke = NULL;
}

void fake_answer_execution(void)
{
    struct execution_request *request = fake.held_execution;
    struct buf *json = &request->json;
    struct buf copy;

    fake.held_execution = NULL;
    request->failure = fake.error;
    request->time_ms = 1764802628830;
    buf_append_text(json, fake.json);
    copy = *json;
    request->cb(request);
    buf_fini(&copy); /* the request may be gone */
}

static void note_error(const struct error_object *error)
{
    note_bytes("error", error->type);
    note_bytes("message", error->message);
    note_bytes("data", error->data);
    if (error->stack_count > 0) {
        note(" stack=%zu", error->stack_count);
    }
}

static void note_update(const struct op_update *update)
{
    note(" [%s %s", op_type_text(update->type), op_action_text(update->action));
    note_bytes("id", update->id);
    note_bytes("parent", update->parent_id);
    note_bytes("name", update->name);
    note_bytes("sub", update->sub_type);
    note_bytes("payload", update->payload);
    note("%s%s%s%s", update->has_payload ? " has_payload" : "",
         update->has_error ? " has_error" : "", update->has_step_options ? " step" : "",
         update->replay_children ? " replay" : "");
    note(" %u %u %u %u", update->delay_s, update->wait_s, update->timeout_s, update->heartbeat_s);
    note_bytes("function", update->function);
    note("]");
}

static void ask(const char *name, struct execution_request *request)
{
    begin(name);
    note_bytes("arn", request->arn);
    note_bytes("callback", request->callback_id);
    note_bytes("payload", request->payload);
    note_error(&request->error);
    note_bytes("token", request->token);
    note_bytes("marker", request->marker);
    note(" items=%u%s%s", request->items_max, request->has_data ? " data" : "",
         request->is_reverse ? " reverse" : "");
    for (size_t i = 0; i < request->update_count; i++) {
        note_update(&request->updates[i]);
    }
    fake.held_execution = request;
    if (!fake.is_holding) {
        fake_answer_execution();
    }
}

#define ASK(function)                                                                              \
    void function(struct driver *driver, struct execution_request *request)                        \
    {                                                                                              \
        (void)driver;                                                                              \
        ask(#function, request);                                                                   \
    }
ASK(driver_get_execution)
ASK(driver_get_history)
ASK(driver_stop)
ASK(driver_redrive)
ASK(driver_callback_succeed)
ASK(driver_callback_fail)
ASK(driver_callback_heartbeat)
ASK(driver_checkpoint)
ASK(driver_get_state)

void driver_abandon(struct driver *driver, struct execution_request *request)
{
    (void)driver;
    fake.abandoned += (request == fake.held_execution) ? 1 : 0;
    fake.held_execution = NULL;
}

void driver_list(struct driver *driver, struct list_request *request)
{
    struct buf copy;

    (void)driver;
    begin("list");
    note_bytes("function", request->function);
    note_bytes("version", request->versions[0]);
    note_bytes("other", request->versions[1]);
    note_bytes("name", request->execution_name);
    note_bytes("marker", request->marker);
    note(" statuses=%u after=%lld before=%lld items=%u kind=%u%s%s", request->statuses,
         (long long)request->started_after_ms, (long long)request->started_before_ms,
         request->items_max, request->kind, request->is_oldest_first ? " oldest" : "",
         request->is_pawl ? " pawl" : "");
    if (fake.is_holding) {
        fake.held_list = request;
        return;
    }
    request->failure = fake.error;
    buf_append_text(&request->json, fake.json);
    copy = request->json;
    request->cb(request);
    buf_fini(&copy);
}

void driver_list_abandon(struct driver *driver, struct list_request *request)
{
    (void)driver;
    fake.abandoned += (request == fake.held_list) ? 1 : 0;
    fake.held_list = NULL;
}

void driver_put_status(struct driver *driver, struct buf *json)
{
    (void)driver;
    buf_append_text(json, ",\"Fake\":true");
}

void driver_scrub(struct driver *driver, void *arg, driver_scrub_cb cb)
{
    (void)driver;
    begin("scrub");
    cb(arg, bytes_of_text("{\"Checked\":3,\"Damaged\":[]}"));
}

/* --- functions ------------------------------------------------------------------------- */

static void set_code(struct function_revision *revision)
{
    for (size_t i = 0; i + 1 < sizeof revision->code; i++) {
        revision->code[i] = "0123456789abcdef"[i % 16];
    }
}

struct function *fake_add_function(const char *name, bool is_durable)
{
    static char *env[] = {(char *)(uintptr_t) "A=1", (char *)(uintptr_t) "B=x=y", NULL};
    struct function *function = &fake.functions[fake.function_count];
    struct function_revision *revision = &fake.revisions[fake.function_count];
    char arn[200];

    fake.function_count++;
    (void)snprintf(arn, sizeof arn, "arn:aws:lambda:us-east-1:123456789012:function:%s", name);
    function->name = strdup(name);
    function->arn = strdup(arn);
    function->latest = revision;
    revision->function = function;
    revision->qualifier = "$LATEST";
    list_init(&function->revisions);
    list_push_back(&function->revisions, &revision->link);
    revision->code_bytes = 123;
    revision->modified_ms = 1795422821977;
    set_code(revision);
    revision->config = (struct function_config){.runtime = "provided.al2023",
                                                .handler = "bootstrap",
                                                .role = "r",
                                                .description = "",
                                                .timeout_s = 3,
                                                .memory_mb = 128,
                                                .tmp_mb = 512,
                                                .concurrency = 1,
                                                .is_durable = is_durable,
                                                .execution_timeout_s = 60,
                                                .retention_days = 7,
                                                .env = env,
                                                .env_count = 2};
    return function;
}

struct function *function_find(const struct functions *functions, struct bytes name)
{
    (void)functions;
    for (size_t i = 0; i < fake.function_count; i++) {
        if (bytes_equal(name, bytes_of_text(fake.functions[i].name))) {
            return &fake.functions[i];
        }
    }
    return NULL;
}

/* In the order they were added: the tests add them sorted. */
struct function *function_next(const struct functions *functions, struct bytes after)
{
    (void)functions;
    for (size_t i = 0; i < fake.function_count; i++) {
        size_t len = strlen(fake.functions[i].name);
        size_t common = (len < after.len) ? len : after.len;
        int order = memcmp(fake.functions[i].name,
                           (after.len > 0) ? after.data : (const uint8_t *)"", common);

        if (order > 0 || (order == 0 && len > after.len)) {
            return &fake.functions[i];
        }
    }
    return NULL;
}

/* --- versions and aliases ---------------------------------------------------------------- */

struct function_revision *fake_add_version(struct function *function)
{
    struct function_revision *version = &fake.versions[fake.version_count];
    char *name = fake.version_names[fake.version_count++];

    *version = *function->latest;
    version->version = ++function->last_version;
    (void)snprintf(name, sizeof fake.version_names[0], "%u", version->version);
    version->qualifier = name;
    return version;
}

struct function_revision *function_version_find(const struct function *function, uint32_t version)
{
    for (size_t i = 0; i < fake.version_count; i++) {
        struct function_revision *found = &fake.versions[i];

        if (found->function == function && found->version == version) {
            return found->is_deleted ? NULL : found;
        }
    }
    return NULL;
}

struct function_revision *function_version_next(const struct function *function, uint32_t after)
{
    for (size_t i = 0; i < fake.version_count; i++) {
        struct function_revision *found = &fake.versions[i];

        if (found->function == function && found->version > after && !found->is_deleted) {
            return found;
        }
    }
    return NULL;
}

static struct fake_alias *find_alias(const struct function *function, struct bytes name)
{
    for (size_t i = 0; i < fake.alias_count; i++) {
        if (fake.aliases[i].function == function && bytes_equal(fake.aliases[i].alias.name, name)) {
            return &fake.aliases[i];
        }
    }
    return NULL;
}

void fake_add_alias(const struct function *function, const struct alias *alias)
{
    struct fake_alias *found = find_alias(function, alias->name);

    found = (found != NULL) ? found : &fake.aliases[fake.alias_count++];
    found->function = function;
    found->alias = *alias;
    memcpy(found->name, alias->name.data, alias->name.len);
    found->alias.name = bytes_of(found->name, alias->name.len);
    if (alias->description.len > 0) {
        memmove(found->description, alias->description.data, alias->description.len);
    }
    found->alias.description = bytes_of(found->description, alias->description.len);
}

bool alias_find(const struct function *function, struct bytes name, struct alias *ret_alias)
{
    const struct fake_alias *found = find_alias(function, name);

    if (found != NULL) {
        *ret_alias = found->alias;
    }
    return found != NULL;
}

bool alias_next(const struct function *function, struct bytes after, struct alias *ret_alias)
{
    size_t i = 0;

    while (after.data != NULL && !bytes_equal(fake.aliases[i++].alias.name, after)) {
    }
    while (i < fake.alias_count && fake.aliases[i].function != function) {
        i++;
    }
    if (i < fake.alias_count) {
        *ret_alias = fake.aliases[i].alias;
    }
    return i < fake.alias_count;
}

struct function_revision *function_resolve(const struct function *function, struct bytes qualifier,
                                           uint64_t chance)
{
    struct fake_alias *alias = find_alias(function, qualifier);

    (void)chance;
    if (qualifier.len == 0 || bytes_equal(qualifier, bytes_of_text("$LATEST")) ||
        (alias != NULL && alias->alias.version == 0)) {
        return function->latest;
    }
    return function_version_find(function,
                                 (alias != NULL) ? alias->alias.version : version_parse(qualifier));
}

static int change_alias(const char *what, struct bytes name)
{
    begin(what);
    note_bytes("name", name);
    return fake.refusal;
}

int alias_put(struct functions *functions, struct function *function, const struct alias *alias,
              int64_t now_ms, void *arg, setting_cb cb)
{
    int r = change_alias("put alias", alias->name);

    (void)functions;
    (void)now_ms;
    note(" version=%u other=%u weight=%g", alias->version, alias->other, alias->weight);
    note_bytes("description", alias->description);
    if (r == 0 && fake.alias_status == 0) {
        fake_add_alias(function, alias);
    }
    if (r == 0) {
        cb(arg, fake.alias_status);
    }
    return r;
}

int alias_delete(struct functions *functions, struct function *function, struct bytes name,
                 void *arg, setting_cb cb)
{
    int r = change_alias("delete alias", name);

    (void)functions;
    (void)function;
    if (r == 0) {
        cb(arg, fake.alias_status);
    }
    return r;
}

/* --- changes ----------------------------------------------------------------------------- */

static int change(const char *what, struct bytes name, const struct function_config *config,
                  struct bytes archive)
{
    begin(what);
    note_bytes("name", name);
    fake.had_config = config != NULL;
    if (config != NULL) {
        fake.config = *config;
        note(" timeout=%u memory=%u tmp=%u concurrency=%u env=%zu durable=%d/%u/%u tenant=%d",
             config->timeout_s, config->memory_mb, config->tmp_mb, config->concurrency,
             config->env_count, config->is_durable, config->execution_timeout_s,
             config->retention_days, config->is_per_tenant);
        note_bytes("raw", config->raw);
    }
    fake.archive_bytes = archive.len;
    return fake.refusal;
}

int function_create(struct functions *functions, struct bytes name,
                    const struct function_config *config, struct bytes archive, bool publishes,
                    int64_t now_ms, void *arg, function_changed_cb cb)
{
    char text[65] = "";
    struct function *function = NULL;
    int r = change("create", name, config, archive);

    (void)functions;
    (void)now_ms;
    note("%s", publishes ? " publish" : "");
    memcpy(text, name.data, (name.len < 64) ? name.len : 64);
    if (r != 0) {
        return r;
    }
    if (fake.change_error == NULL) {
        function = fake_add_function(text, config->is_durable);
    }
    if (function != NULL && publishes) {
        (void)fake_add_version(function);
    }
    cb(arg, function, fake.change_error);
    return 0;
}

int function_update(struct functions *functions, struct function *function,
                    const struct function_config *config, struct bytes archive, bool publishes,
                    int64_t now_ms, void *arg, function_changed_cb cb)
{
    int r = change("update", bytes_of_text(function->name), config, archive);

    (void)functions;
    (void)now_ms;
    note("%s", publishes ? " publish" : "");
    if (r == 0 && publishes && fake.change_error == NULL) {
        (void)fake_add_version(function);
    }
    if (r == 0) {
        cb(arg, function, fake.change_error);
    }
    return r;
}

int function_delete(struct functions *functions, struct function *function, void *arg,
                    function_changed_cb cb)
{
    int r = change("delete", bytes_of_text(function->name), NULL, (struct bytes){0});

    (void)functions;
    if (r == 0) {
        cb(arg, function, fake.change_error);
    }
    return r;
}

int function_publish(struct functions *functions, struct function *function,
                     const char *description, int64_t now_ms, void *arg, function_changed_cb cb)
{
    int r = change("publish", bytes_of_text(function->name), NULL, (struct bytes){0});

    (void)functions;
    (void)now_ms;
    note_bytes("description", bytes_of_text((description != NULL) ? description : ""));
    if (r == 0) {
        (void)fake_add_version(function);
        cb(arg, function, fake.change_error);
    }
    return r;
}

int function_delete_version(struct functions *functions, struct function_revision *revision,
                            void *arg, function_changed_cb cb)
{
    int r = change("delete version", bytes_of_text(revision->qualifier), NULL, (struct bytes){0});

    (void)functions;
    if (r == 0) {
        revision->is_deleted = true;
        cb(arg, revision->function, fake.change_error);
    }
    return r;
}

/* --- logs and journal --------------------------------------------------------------------- */

int logs_read(struct logs *logs, struct bytes function, struct bytes execution, int64_t since_ms,
              uint64_t *position, logs_visit visit, void *arg)
{
    (void)logs;
    begin("logs");
    note_bytes("function", function);
    note_bytes("execution", execution);
    note(" since=%lld position=%llu", (long long)since_ms, (unsigned long long)*position);
    if (fake.log_reads == 0) {
        return 0;
    }
    fake.log_reads--;
    *position += 1;
    (void)visit(arg, bytes_of_text(fake.lines));
    return (fake.log_reads > 0) ? 1 : 0;
}

void logs_follow(struct logs *logs, struct logs_follow *follow)
{
    (void)logs;
    fake.follow = follow;
}

void logs_unfollow(struct logs *logs, struct logs_follow *follow)
{
    (void)logs;
    fake.follow = (fake.follow == follow) ? NULL : fake.follow;
}

int journal_backup(struct journal *journal, const char *dir, void *arg, journal_backup_cb cb)
{
    (void)journal;
    (void)snprintf(fake.backup, sizeof fake.backup, "%s", dir);
    if (fake.backup_status > 0) {
        return -fake.backup_status;
    }
    cb(arg, fake.backup_status);
    return 0;
}

/* --- runtimes -------------------------------------------------------------------------- */

struct runtimes *driver_runtimes(struct driver *driver)
{
    (void)driver;
    return (struct runtimes *)(void *)&fake;
}

bool runtime_is_own(const char *name)
{
    return strncmp(name, "provided.", 9) == 0;
}

bool runtime_is_name(const char *name)
{
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.") == strlen(name);
}

const struct runtime *runtimes_next(const struct runtimes *runtimes, const char *after)
{
    (void)runtimes;
    for (size_t i = 0; i < fake.runtime_count; i++) {
        if (strcmp(fake.runtimes[i].name, after) > 0) {
            return &fake.runtimes[i];
        }
    }
    return NULL;
}

const char *runtimes_find(const struct runtimes *runtimes, const char *name)
{
    (void)runtimes;
    for (size_t i = 0; i < fake.runtime_count; i++) {
        if (strcmp(fake.runtimes[i].name, name) == 0) {
            return fake.runtimes[i].directory;
        }
    }
    return NULL;
}

bool runtimes_check(const struct runtimes *runtimes, const char *directory,
                    char ret_why[RUNTIME_WHY_MAX])
{
    (void)runtimes;
    if (fake.runtime_wrong == NULL) {
        return true;
    }
    (void)snprintf(ret_why, RUNTIME_WHY_MAX, "%s %s", directory, fake.runtime_wrong);
    return false;
}

int runtimes_change(struct runtimes *runtimes, const char *name, const char *directory, void *arg,
                    runtimes_cb cb)
{
    (void)runtimes;
    begin("runtime");
    note(" name=%s directory=%s", name, (directory != NULL) ? directory : "-");
    if (fake.runtime_refusal == 0) {
        cb(arg, fake.runtime_status);
    }
    return fake.runtime_refusal;
}

/* --- access keys --------------------------------------------------------------------------- */

struct access_keys *driver_access_keys(struct driver *driver)
{
    (void)driver;
    return (struct access_keys *)(void *)&fake;
}

static struct access_key_info fake_key(const char *secret)
{
    return (struct access_key_info){.id = "AKIAIOSFODNN7EXAMPLE",
                                    .secret = secret,
                                    .description = "the \"CI\"",
                                    .created_ms = 1764802628830,
                                    .tenant = TENANT_DEFAULT,
                                    .is_enabled = fake.is_key_enabled};
}

void access_keys_walk(const struct access_keys *keys, access_key_visit visit, void *arg)
{
    struct access_key_info info = fake_key(NULL);

    (void)keys;
    begin("keys");
    for (int i = 0; i < 2; i++) {
        visit(arg, &info);
        info.is_enabled = !info.is_enabled;
    }
}

static int answer_key(const char *name, struct bytes value, void *arg, access_key_cb cb,
                      const char *secret)
{
    struct access_key_info info;

    begin(name);
    note_bytes("of", value);
    if (fake.refusal == 0) {
        info = fake_key(secret);
        cb(arg, &info);
    }
    return fake.refusal;
}

int access_key_add(struct access_keys *keys, struct bytes description, int64_t now_ms, void *arg,
                   access_key_cb cb)
{
    (void)keys;
    (void)now_ms;
    return answer_key("key-add", description, arg, cb, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
}

int access_key_enable(struct access_keys *keys, struct bytes id, bool is_enabled, void *arg,
                      access_key_cb cb)
{
    (void)keys;
    fake.is_key_enabled = is_enabled;
    return answer_key(is_enabled ? "key-enable" : "key-disable", id, arg, cb, NULL);
}

int access_key_remove(struct access_keys *keys, struct bytes id, void *arg, access_key_cb cb)
{
    (void)keys;
    return answer_key("key-remove", id, arg, cb, NULL);
}
