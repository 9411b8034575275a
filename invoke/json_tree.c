#include "invoke/json_tree.h"

#include "engine/base/json.h"

static int append_piece(const char *piece, size_t size, void *data)
{
    struct buf *buf = data;

    buf_append(buf, piece, size);
    return 0;
}

void json_tree_put(struct buf *buf, const json_t *tree)
{
    if (json_dump_callback(tree, append_piece, buf, JSON_COMPACT | JSON_ENCODE_ANY) != 0) {
        buf->failed = true;
    }
}

void json_tree_put_quoted(struct buf *buf, const json_t *tree)
{
    struct buf text = {0};

    json_tree_put(&text, tree);
    json_quoted(buf, buf_bytes(&text));
    buf->failed = buf->failed || text.failed;
    buf_fini(&text);
}

json_t *json_tree_read(struct bytes text)
{
    return (text.data != NULL) ? json_loadb((const char *)text.data, text.len, 0, NULL) : NULL;
}
