#include "sdk/cli/archive.h"

#include <zip.h>

#include "sdk/cli/complain.h"
#include "sdk/cli/files.h"

#define MODE_PROGRAM 0100755U
#define MODE_FILE 0100644U
#define DOS_TIME 0
#define DOS_DATE 33 /* 1980-01-01, the first day a zip can name */
#define ZIP_MAGIC "PK\003\004"

static int complain_zip(zip_error_t *error, const char *what)
{
    return cli_complain(CLI_SERVER, "cannot %s: %s", what, zip_error_strerror(error));
}

static int add_file(zip_t *zip, const struct cli_file *file, const char *name)
{
    bool is_program = file->is_executable || strcmp(name, "bootstrap") == 0;
    uint32_t mode = is_program ? MODE_PROGRAM : MODE_FILE;
    zip_source_t *source = zip_source_buffer(zip, file->content.data, file->content.len, 0);
    zip_int64_t place;

    if (source == NULL) {
        return complain_zip(zip_get_error(zip), "pack the program");
    }
    place = zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8);
    if (place < 0) {
        zip_source_free(source);
        return complain_zip(zip_get_error(zip), "pack the program");
    }
    if (zip_set_file_compression(zip, (zip_uint64_t)place, ZIP_CM_DEFLATE, 6) != 0 ||
        zip_file_set_dostime(zip, (zip_uint64_t)place, DOS_TIME, DOS_DATE, 0) != 0 ||
        zip_file_set_external_attributes(zip, (zip_uint64_t)place, 0, ZIP_OPSYS_UNIX, mode << 16) !=
            0) {
        return complain_zip(zip_get_error(zip), "pack the program");
    }
    return 0;
}

static int add_files(zip_t *zip, const struct cli_files *files, bool is_directory)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < files->count; i++) {
        const char *name = is_directory ? files->files[i].name : "bootstrap";

        r = add_file(zip, &files->files[i], name);
    }
    return r;
}

/* Takes the finished zip out of its source. */
static int take_zip(struct cli_archive *archive, zip_source_t *source)
{
    zip_stat_t info;
    uint8_t *room;

    if (zip_source_stat(source, &info) != 0 || zip_source_open(source) != 0) {
        return complain_zip(zip_source_error(source), "pack the program");
    }
    room = buf_reserve(&archive->zip, info.size);
    if (room == NULL) {
        (void)zip_source_close(source);
        return cli_complain_memory();
    }
    if (zip_source_read(source, room, info.size) != (zip_int64_t)info.size) {
        (void)zip_source_close(source);
        return complain_zip(zip_source_error(source), "pack the program");
    }
    archive->zip.len += info.size;
    (void)zip_source_close(source);
    return 0;
}

static int pack(struct cli_archive *archive, const struct cli_files *files, bool is_directory)
{
    zip_error_t error;
    zip_source_t *source;
    zip_t *zip;
    int r;

    zip_error_init(&error);
    source = zip_source_buffer_create(NULL, 0, 0, &error);
    zip = (source != NULL) ? zip_open_from_source(source, ZIP_TRUNCATE, &error) : NULL;
    if (zip == NULL) {
        zip_source_free(source);
        return complain_zip(&error, "pack the program");
    }
    zip_source_keep(source); /* closing the zip must not take the bytes with it */
    r = add_files(zip, files, is_directory);
    if (r == 0 && zip_close(zip) != 0) {
        r = complain_zip(zip_get_error(zip), "pack the program");
    } else if (r == 0) {
        zip = NULL;
        r = take_zip(archive, source);
    }
    if (zip != NULL) {
        zip_discard(zip);
    }
    zip_source_free(source);
    return r;
}

static bool is_zip(const struct cli_files *files)
{
    const struct buf *content = &files->files[0].content;

    return content->len >= 4 && memcmp(content->data, ZIP_MAGIC, 4) == 0;
}

static int make(struct cli_archive *archive, const struct cli_files *files, const char *path,
                bool is_directory)
{
    if (!is_directory) {
        archive->has_bootstrap = true;
        if (is_zip(files)) {
            buf_append(&archive->zip, files->files[0].content.data, files->files[0].content.len);
            return archive->zip.failed ? cli_complain_memory() : 0;
        }
        if (files->files[0].content.len == 0) {
            return cli_complain(CLI_USAGE, "%s is empty: give a program", path);
        }
        return pack(archive, files, false);
    }
    archive->has_bootstrap = cli_files_find(files, "bootstrap") != NULL;
    archive->has_index = cli_files_find(files, "index.mjs") != NULL;
    archive->has_app = cli_files_find(files, "app.py") != NULL;
    if (!archive->has_bootstrap && !archive->has_index && !archive->has_app) {
        return cli_complain(CLI_USAGE,
                            "%s holds neither 'bootstrap' nor index.mjs nor app.py: put the "
                            "program there as 'bootstrap'",
                            path);
    }
    return pack(archive, files, true);
}

int cli_archive_make(struct cli_archive *archive, const char *path)
{
    struct cli_files files = {0};
    bool is_directory = false;
    int r = cli_files_read(&files, path, &is_directory);

    if (r == 0) {
        r = make(archive, &files, path, is_directory);
    }
    cli_files_fini(&files);
    return r;
}

void cli_archive_fini(struct cli_archive *archive)
{
    buf_fini(&archive->zip);
}
