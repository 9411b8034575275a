#include "sdk/cli/member.h"

#define INTEGER_MAX 9007199254740992.0 /* up to here a double counts in ones */
#define TIME_S_MAX 1e11                /* the year 5138; what is larger counts milliseconds */

json_t *cli_member(const json_t *object, const char *key)
{
    return json_is_object(object) ? json_object_get(object, key) : NULL;
}

const char *cli_member_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(cli_member(object, key));

    return (text != NULL) ? text : "";
}

int64_t cli_member_number(const json_t *object, const char *key)
{
    const json_t *member = cli_member(object, key);
    double real = json_real_value(member);

    if (json_is_integer(member)) {
        return json_integer_value(member);
    }
    return (json_is_real(member) && real >= 0 && real < INTEGER_MAX) ? (int64_t)real : -1;
}

int64_t cli_member_time_ms(const json_t *object, const char *key)
{
    const json_t *member = cli_member(object, key);
    double value = json_number_value(member);

    if (!json_is_number(member) || value < 0 || value > TIME_S_MAX * 1000) {
        return -1;
    }
    return (int64_t)((value > TIME_S_MAX) ? value : value * 1000 + 0.5);
}
