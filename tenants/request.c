#include "tenants/request.h"

struct bytes request_header(const struct request_head *head, struct bytes lower_name, size_t n)
{
    for (size_t i = 0; i < head->header_count; i++) {
        if (bytes_equal(head->headers[i].name, lower_name) && n-- == 0) {
            return head->headers[i].value;
        }
    }
    return (struct bytes){0};
}
