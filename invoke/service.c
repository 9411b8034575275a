#include "invoke/service.h"

#include <sys/random.h>

#include "engine/base/err.h"
#include "invoke/log_stream.h"
#include "invoke/moment.h"

int service_init(struct service *service)
{
    if (getrandom(&service->prng.state, sizeof service->prng.state, 0) !=
        (ssize_t)sizeof service->prng.state) {
        return ERR(ERR_SYSTEM, "no random numbers");
    }
    service->started_ms = moment_now_ms();
    list_init(&service->streams);
    return 0;
}

void service_end_streams(struct service *service)
{
    struct list *item;

    while ((item = list_pop_front(&service->streams)) != NULL) {
        log_stream_end(container_of(item, struct log_stream, link));
    }
}
