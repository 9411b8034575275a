/* How a client may name a function: NAME, NAME:QUALIFIER, ACCOUNT:function:NAME[:Q] or
 * the whole ARN. An ARN of another account is of a function that we do not have. */
#ifndef INVOKE_FUNCTION_NAME_H
#define INVOKE_FUNCTION_NAME_H

#include "engine/driver/function.h"

#define FUNCTION_QUALIFIER_MAX 128U

struct function_name {
    struct bytes name;
    struct bytes qualifier; /* empty: none */
    uint64_t account;       /* 0: none was named */
    struct bytes region;    /* empty: none was named */
};

/* Parts point into `text`. False when it has none of the forms above. */
bool function_name_parse(struct bytes text, struct function_name *ret_name);

/* [a-zA-Z0-9-_]{1,64}: also the form of an execution's name. */
bool function_name_is_plain(struct bytes text);

#endif /* INVOKE_FUNCTION_NAME_H */
