/* What fake_driver.h is for settings and concurrency. */
#ifndef TESTS_INVOKE_FAKE_SETTING_H
#define TESTS_INVOKE_FAKE_SETTING_H

#include "engine/driver/setting.h"

#define FAKE_SETTINGS 16

struct fake_setting {
    struct function *function;
    enum setting_kind kind;
    char *name;
    char *json; /* NULL: free */
};

struct fake_settings {
    struct fake_setting all[FAKE_SETTINGS];
    int refusal; /* of the next changes: enum FUNCTION_... */
    int status;  /* of their callbacks */
    int puts;
    uint32_t unreserved;
    int status_shown; /* of provisioned concurrency */
};
extern struct fake_settings fake_settings;

void fake_settings_reset(void);

#endif /* TESTS_INVOKE_FAKE_SETTING_H */
