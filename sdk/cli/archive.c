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

static int add_files(zip_t *zip, const struct cli_files *files, const char *single_name)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < files->count; i++) {
        r = add_file(zip, &files->files[i],
                     (single_name != NULL) ? single_name : files->files[i].name);
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

/* `single_name`: of a file that is alone, or NULL. */
static int pack(struct cli_archive *archive, const struct cli_files *files, const char *single_name)
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
    r = add_files(zip, files, single_name);
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

/* --- what runs it ----------------------------------------------------------------------- */

struct layout {
    const char *file;
    const char *ending; /* of a script that is deployed alone */
    const char *runtime;
    const char *handler;
};

static const struct layout layouts[] = {
    {"bootstrap", NULL, "provided.al2023", "bootstrap"},
    {"index.mjs", ".mjs", "nodejs22.x", "index.handler"},
    {"index.js", ".js", "nodejs22.x", "index.handler"},
    {"app.py", ".py", "python3.11", "app.handler"},
};

#define LAYOUTS (sizeof layouts / sizeof layouts[0])

static void set_layout(struct cli_archive *archive, const struct layout *layout)
{
    archive->runtime = layout->runtime;
    archive->handler = layout->handler;
}

/* In the order of the table: the first that is there. */
static void find_layout(struct cli_archive *archive, const struct cli_files *files)
{
    for (size_t i = 0; i < LAYOUTS; i++) {
        if (cli_files_find(files, layouts[i].file) != NULL) {
            set_layout(archive, &layouts[i]);
            return;
        }
    }
}

/* One that libzip cannot read is for the daemon to judge. */
static void look_into_zip(struct cli_archive *archive)
{
    zip_source_t *source = zip_source_buffer_create(archive->zip.data, archive->zip.len, 0, NULL);
    zip_t *zip = (source != NULL) ? zip_open_from_source(source, ZIP_RDONLY, NULL) : NULL;

    if (zip == NULL) {
        zip_source_free(source);
        return;
    }
    for (size_t i = 0; archive->runtime == NULL && i < LAYOUTS; i++) {
        if (zip_name_locate(zip, layouts[i].file, 0) >= 0) {
            set_layout(archive, &layouts[i]);
        }
    }
    zip_discard(zip);
}

static bool starts_with(const struct buf *content, const char *text)
{
    size_t len = strlen(text);

    return content->len >= len && memcmp(content->data, text, len) == 0;
}

/* A file alone is a program, unless its name says that it is a script of some runtime. */
static const struct layout *layout_of_file(const struct cli_file *file)
{
    size_t len = strlen(file->name);

    for (size_t i = 1; i < LAYOUTS && !starts_with(&file->content, "#!"); i++) {
        size_t ending = strlen(layouts[i].ending);

        if (len > ending && strcmp(file->name + len - ending, layouts[i].ending) == 0) {
            return &layouts[i];
        }
    }
    return &layouts[0];
}

/* --- making it -------------------------------------------------------------------------- */

static int make_of_file(struct cli_archive *archive, const struct cli_files *files,
                        const char *path)
{
    const struct cli_file *file = &files->files[0];

    if (file->content.len == 0) {
        return cli_complain(CLI_USAGE, "%s is empty: give a program", path);
    }
    if (starts_with(&file->content, ZIP_MAGIC)) {
        buf_append(&archive->zip, file->content.data, file->content.len);
        if (archive->zip.failed) {
            return cli_complain_memory();
        }
        look_into_zip(archive);
        return 0;
    }
    set_layout(archive, layout_of_file(file));
    return pack(archive, files, layout_of_file(file)->file);
}

int cli_archive_make(struct cli_archive *archive, const char *path)
{
    struct cli_files files = {0};
    bool is_directory = false;
    int r = cli_files_read(&files, path, &is_directory);

    if (r == 0 && !is_directory) {
        r = make_of_file(archive, &files, path);
    } else if (r == 0) {
        find_layout(archive, &files);
        r = pack(archive, &files, NULL);
    }
    cli_files_fini(&files);
    return r;
}

int cli_archive_make_layer(struct cli_archive *archive, const char *path)
{
    struct cli_files files = {0};
    bool is_directory = false;
    int r = cli_files_read(&files, path, &is_directory);

    if (r == 0 && is_directory) {
        r = pack(archive, &files, NULL);
    } else if (r == 0 && starts_with(&files.files[0].content, ZIP_MAGIC)) {
        buf_append(&archive->zip, files.files[0].content.data, files.files[0].content.len);
        r = archive->zip.failed ? cli_complain_memory() : 0;
    } else if (r == 0) {
        r = cli_complain(CLI_USAGE, "%s is one file: a layer is a directory or a zip", path);
    }
    cli_files_fini(&files);
    return r;
}

void cli_archive_fini(struct cli_archive *archive)
{
    buf_fini(&archive->zip);
}
