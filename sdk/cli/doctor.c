/* pawl doctor: what the launcher finds on this machine. */
#include "sdk/cli/commands.h"
#include "sdk/cli/complain.h"
#include "sdk/cli/session.h"

int cli_run_doctor(struct cli_session *session, const struct cli_arguments *arguments)
{
    (void)arguments;
    if (cli_doctor_hook == NULL) {
        return cli_complain(CLI_SERVER, "this program has no launcher to ask");
    }
    return cli_doctor_hook(session->is_json);
}
