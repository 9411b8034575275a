#include "sdk/cli/payload.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sdk/cli/complain.h"
#include "sdk/cli/put.h"

#define PIECE_BYTES 65536

static int read_all(struct buf *payload, int fd, const char *name)
{
    while (payload->len <= CLI_PAYLOAD_BYTES_MAX) {
        uint8_t *room = buf_reserve(payload, PIECE_BYTES);
        ssize_t len = (room != NULL) ? read(fd, room, PIECE_BYTES) : 0;

        if (room == NULL) {
            return cli_complain_memory();
        }
        if (len < 0 && errno == EINTR) {
            continue;
        }
        if (len < 0) {
            return cli_complain(CLI_USAGE, "cannot read %s: %s", name, strerror(errno));
        }
        if (len == 0) {
            return 0;
        }
        payload->len += (size_t)len;
    }
    return cli_complain(CLI_USAGE, "the payload in %s is longer than %u bytes", name,
                        CLI_PAYLOAD_BYTES_MAX);
}

static int read_file(struct buf *payload, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int r;

    if (fd < 0) {
        return cli_complain(CLI_USAGE, "cannot open %s: %s", path, strerror(errno));
    }
    r = read_all(payload, fd, path);
    (void)close(fd);
    return r;
}

int cli_payload_read(struct buf *payload, const char *operand)
{
    if (operand == NULL) {
        return 0;
    }
    if (strcmp(operand, "-") == 0) {
        return read_all(payload, STDIN_FILENO, "stdin");
    }
    if (operand[0] == '@') {
        return read_file(payload, operand + 1);
    }
    buf_append_text(payload, operand);
    return payload->failed ? cli_complain_memory() : 0;
}

void cli_error_object(struct buf *json, const char *type, const char *message,
                      const struct buf *data)
{
    cli_put_object(json, NULL);
    if (type != NULL) {
        cli_put_text(json, "ErrorType", type);
    }
    if (message != NULL) {
        cli_put_text(json, "ErrorMessage", message);
    }
    if (data != NULL && data->len > 0) {
        cli_put_bytes(json, bytes_of_text("ErrorData"), buf_bytes(data));
    }
    cli_put_end(json);
}
