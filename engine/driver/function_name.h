/* How a client may name a function: NAME, NAME:QUALIFIER, ACCOUNT:function:NAME[:Q] or
 * the whole ARN. An ARN of another account or region is of a function that we do not
 * have. */
#ifndef ENGINE_DRIVER_FUNCTION_NAME_H
#define ENGINE_DRIVER_FUNCTION_NAME_H

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

/* The published version that this text is the number of; 0: it is not one. */
uint32_t version_parse(struct bytes text);

/* [a-zA-Z0-9-_]{1,128}, not digits alone: those are versions. */
#define ALIAS_NAME_MAX 128U
bool alias_name_is_valid(struct bytes name);

/* [a-zA-Z0-9-_]{1,64}: also the form of an execution's name. */
bool function_name_is_plain(struct bytes text);

#endif /* ENGINE_DRIVER_FUNCTION_NAME_H */
