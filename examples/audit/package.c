#include "examples/audit/package.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "examples/audit/diversions.h"

#define BUFFER_BYTES (256U << 10)
#define SUM_CHARS 32
#define LINE_BYTES 4200
#define FILES_MAX 10000000
#define PATHS_MAX 20 /* of a kind and package, so that a step's result stays small */

struct check {
    const struct request *request;
    const char *package;
    struct diversions diversions;
    struct findings *findings;
    EVP_MD_CTX *md;
    unsigned char *buffer;
};

/* --- one file ------------------------------------------------------------------------- */

static bool hash(struct check *check, int fd, char ret_sum[SUM_CHARS + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    ssize_t n;

    if (EVP_DigestInit_ex(check->md, EVP_md5(), NULL) != 1) {
        return false;
    }
    while ((n = read(fd, check->buffer, BUFFER_BYTES)) > 0) {
        check->findings->bytes += (uint64_t)n;
        if (EVP_DigestUpdate(check->md, check->buffer, (size_t)n) != 1) {
            return false;
        }
    }
    if (n < 0 || EVP_DigestFinal_ex(check->md, digest, &len) != 1) {
        return false;
    }
    for (unsigned i = 0; i < len && i < SUM_CHARS / 2; i++) {
        (void)snprintf(ret_sum + (size_t)i * 2, 3, "%02x", digest[i]);
    }
    return true;
}

static void find(struct check *check, enum finding kind, const char *path)
{
    findings_add(check->findings, kind, path, PATHS_MAX);
}

/* It could not be opened; errno says why. */
static void explain(struct check *check, const char *path)
{
    if (errno != ENOENT && errno != ENOTDIR) {
        find(check, FINDING_UNREADABLE, path);
    } else if (!request_shows(check->request, path)) {
        find(check, FINDING_UNSEEN, path);
    } else if (request_excludes(check->request, path)) {
        find(check, FINDING_EXCLUDED, path);
    } else {
        find(check, FINDING_MISSING, path);
    }
}

static void check_open_file(struct check *check, const char *path, int fd, const char *expected)
{
    char sum[SUM_CHARS + 1];
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        find(check, FINDING_CHANGED, path);
    } else if (!hash(check, fd, sum)) {
        find(check, FINDING_UNREADABLE, path);
    } else if (strncmp(sum, expected, SUM_CHARS) != 0) {
        find(check, FINDING_CHANGED, path);
    }
}

/* What has become a FIFO must not hold us up. The links of a merged /usr are followed. */
static void check_file(struct check *check, const char *path, const char *expected)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    check->findings->files++;
    if (fd < 0) {
        explain(check, path);
        return;
    }
    check_open_file(check, path, fd, expected);
    (void)close(fd);
}

/* --- the list -------------------------------------------------------------------------- */

/* "d41d8cd98f00b204e9800998ecf8427e  usr/bin/x"; the slash takes the place of a blank. */
static void check_line(struct check *check, char *line)
{
    size_t len = strcspn(line, "\n");
    char *path = line + SUM_CHARS + 1;

    line[len] = '\0';
    if (len < SUM_CHARS + 3 || strspn(line, "0123456789abcdef") != SUM_CHARS ||
        memcmp(line + SUM_CHARS, "  ", 2) != 0) {
        find(check, FINDING_MALFORMED, line);
        return;
    }
    *path = '/';
    check_file(check, diversions_follow(&check->diversions, check->package, path), line);
}

static void check_lines(struct check *check, FILE *list)
{
    char line[LINE_BYTES];

    for (size_t n = 0; n < FILES_MAX && fgets(line, sizeof line, list) != NULL; n++) {
        check_line(check, line);
    }
}

int package_check(struct pawl_context *ctx, const struct request *request, const char *package,
                  struct findings *findings)
{
    const char *path = pawl_printf(ctx, PACKAGE_LISTS "/%s" PACKAGE_LIST_SUFFIX, package);
    struct check check = {.request = request, .package = package, .findings = findings};
    FILE *list;

    PAWL_TRY(diversions_read(ctx, PACKAGE_DATABASE "/diversions", &check.diversions));
    list = fopen(path, "re");
    if (list == NULL) {
        return pawl_fail(ctx, "Unreadable", "%s: errno %d", path, errno);
    }
    check.buffer = pawl_alloc(ctx, BUFFER_BYTES);
    check.md = EVP_MD_CTX_new();
    if (check.md != NULL) {
        check_lines(&check, list);
    }
    (void)fclose(list);
    if (check.md == NULL) {
        return pawl_fail(ctx, "NoMemory", "for MD5");
    }
    EVP_MD_CTX_free(check.md);
    return 0;
}
