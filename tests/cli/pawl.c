/* The client alone, as a program: what the end-to-end tests run. */
#include "sdk/cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int verify(const char *data_dir, bool is_json)
{
    (void)printf("%s %s\n", is_json ? "json" : "table", data_dir);
    return (strstr(data_dir, "damaged") != NULL) ? CLI_FAILED : CLI_OK;
}

static int doctor(bool is_json)
{
    (void)printf("doctor %s\n", is_json ? "json" : "table");
    return CLI_OK;
}

int main(int argc, char **argv)
{
    if (getenv("TEST_HOOKS") != NULL) {
        cli_verify_hook = verify;
        cli_doctor_hook = doctor;
    }
    return cli_main(argc, argv);
}
