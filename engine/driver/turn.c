#include "engine/driver/turn.h"

/* A job that is added by a job runs in the next turn, which comes at once. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct turn *turn = container_of(prepare, struct turn, prepare);
    struct list now;
    struct list *item;

    if (list_is_empty(&turn->jobs)) {
        return;
    }
    (void)uv_idle_stop(&turn->idle);
    list_init(&now);
    list_splice_back(&now, &turn->jobs);
    while ((item = list_pop_front(&now)) != NULL) {
        struct turn_job *job = container_of(item, struct turn_job, link);

        job->run(job);
    }
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

void turn_init(struct turn *turn, uv_loop_t *loop)
{
    list_init(&turn->jobs);
    (void)uv_idle_init(loop, &turn->idle);
    (void)uv_prepare_init(loop, &turn->prepare);
    (void)uv_prepare_start(&turn->prepare, on_prepare);
    uv_unref((uv_handle_t *)&turn->prepare);
}

void turn_close(struct turn *turn, void *data, uv_close_cb cb)
{
    turn->prepare.data = data;
    turn->idle.data = data;
    uv_close((uv_handle_t *)&turn->prepare, cb);
    uv_close((uv_handle_t *)&turn->idle, cb);
}

void turn_job_init(struct turn_job *job, void (*run)(struct turn_job *job))
{
    list_init(&job->link);
    job->run = run;
}

void turn_add(struct turn *turn, struct turn_job *job)
{
    if (!list_is_empty(&job->link)) {
        return;
    }
    list_push_back(&turn->jobs, &job->link);
    (void)uv_idle_start(&turn->idle, on_idle);
}

void turn_remove(struct turn_job *job)
{
    list_remove(&job->link);
}
